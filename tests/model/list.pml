/* SPDX-License-Identifier: Apache-2.0 */
/* list: how a block list comes to a sensor (docs/WIRE.md, "Sets"), time left out. The aggregator
 * publishes serials 1..LAST; some cut the sensor off (CUTS). A question with a nonce is answered with
 * the newest list, in two parts, of which any may be lost with the connection. The sensor applies
 * a list whole, and takes it back unless an answer came through while it was in force. Durable at the
 * sensor: high, refused, confirmed; in the kernel: what is in force.
 *
 * Safe: the kernel never holds a mixture, never a list that was taken back, never an older one than
 * before (but for the confirmed one). Live: a list that cuts the path is gone in the end (heals); the
 * newest good list is in force in the end (converges); without our processes the kernel's own
 * timeouts empty the sets (expires).
 *
 * tests/model/check turns on one MUT_ at a time and wants each caught. */
#define LAST 4
#ifndef FAULTS
#define FAULTS 2 /* crashes of the sensor, cuts of the connection, failures of the aggregator */
#endif
#define NONE 0
#define MIXED 255

mtype = { BEGIN, PART, END, SAME, QUERY };

/* message, nonce, serial, content of a part */
chan up = [1] of { mtype, byte, byte };
chan down = [4] of { mtype, byte, byte, byte };

byte published = 1;
bool cuts[LAST + 1];
bool answering = false;
bool dead = false;  /* every process of the sensor is killed, for good */
byte faults = FAULTS;

/* Durable at the sensor, and the kernel. */
byte high = 0, refused = 0, confirmed = NONE, kernel = NONE;
/* Not durable. */
byte nonce = 0;
byte asked = NONE;          /* in force when the question was asked */
byte part[2];
bool begun = false, unconfirmed = false;
byte ever = 0;              /* the highest that was ever accepted: a ghost, for the claim */

#ifdef MUT_NO_NONCE
#define ours(n) true
#else
#define ours(n) (n == nonce)
#endif
#ifdef MUT_NO_DIGEST
#define fits(s) true
#else
#define fits(s) (part[0] == s && part[1] == s)
#endif

#define open_path (kernel == NONE || kernel == MIXED || !cuts[kernel])
#define DRAIN(c) do :: c?_,_,_ :: empty(c) -> break od
#define DRAIN4(c) do :: c?_,_,_,_ :: empty(c) -> break od

inline forget()
{
    begun = false; part[0] = NONE; part[1] = NONE;
}

inline ask()
{
    nonce = (nonce % 3) + 1; /* three are enough: no more are ever under way */
    asked = kernel;
    up!QUERY,nonce,kernel
}

/* Back to the list confirmed last. */
inline roll_back()
{
    refused = (kernel > refused -> kernel : refused);
#ifdef MUT_NOT_REFUSED
    refused = 0; high = confirmed;
#endif
    kernel = confirmed;
    unconfirmed = false
}

inline take(serial, content)
{
    assert(content == serial);    /* no mixture */
    assert(serial > ever);        /* nothing older, nothing taken back */
    ever = serial; high = serial; kernel = content;
#ifdef MUT_NO_CONFIRM
    confirmed = serial
#else
    unconfirmed = true
#endif
}

active proctype Sensor()
{
    byte n, s, c;
    do
    :: dead -> break
    /* At connection, after each change and at each refresh: a question, and time for its answer. */
    :: atomic { !dead && open_path && !answering && empty(up) && empty(down) -> ask() }
    :: atomic { !dead && down?[BEGIN,n,s,c] -> down?BEGIN,n,s,c;
#ifndef MUT_NO_NONCE
           if :: n == nonce -> forget(); begun = true :: else fi
#else
           begun = true
#endif
       }
    :: atomic { !dead && nempty(down) ->
           if
           :: down?PART,n,s,c ->
               if
               :: begun && ours(n) -> if :: part[0] == NONE -> part[0] = c :: else -> part[1] = c fi
               :: else
               fi
           :: down?END,n,s,c ->
               if
               :: begun && ours(n) && part[1] != NONE && s > high && s > refused && fits(s) ->
                   c = (part[0] == part[1] -> part[1] : MIXED);
                   take(s, c)
               :: else
               fi;
               forget()
           :: down?SAME,n,s,c
           :: down?BEGIN,n,s,c -> if :: n == nonce -> forget(); begun = true :: else fi
           fi;
           /* Any answer to our question proves the path under the list that was in force then. */
           if
           :: unconfirmed && n == nonce && asked == kernel -> confirmed = kernel; unconfirmed = false
           :: else
           fi }
#ifndef MUT_NO_CONFIRM
    /* A minute without an answer: the path is cut, or a fault came in between. */
    :: atomic { !dead && unconfirmed && !open_path -> roll_back() }
    :: atomic { !dead && unconfirmed && faults > 0 -> faults--; roll_back() }
#endif
    /* Crash: only what is durable is left; of the lists the confirmed one. */
    :: atomic { !dead && faults > 0 -> faults--;
           forget(); unconfirmed = false; kernel = confirmed; asked = NONE;
#ifdef MUT_FORGET_HIGH
           high = 0;
#endif
           DRAIN(up); DRAIN4(down) }
    /* The connection is cut, in the middle of an answer too. */
    :: atomic { !dead && faults > 0 -> faults--; DRAIN(up); DRAIN4(down) }
    od
}

/* Answers with the newest list, part by part; publishes; what leaves a sensor that the list cut off
 * never comes back. The last list comes when all faults are over, and is good. */
active proctype Aggregator()
{
    byte n, s, now;
    do
    :: atomic { published < LAST - 1 || (published == LAST - 1 && faults == 0) ->
           published++;
           if
           :: published < LAST -> cuts[published] = true
           :: true
           fi }
    :: atomic { up?QUERY,n,s -> answering = true };
           now = published;
           if
           :: !open_path
           :: open_path && s == now -> down!SAME,n,now,NONE
           :: open_path && s != now ->
               down!BEGIN,n,now,NONE; down!PART,n,now,now; down!PART,n,now,now; down!END,n,now,NONE
           fi;
           answering = false
    od
}

/* The kernel's timeouts, which need nobody alive; and the end of everything of ours. */
active proctype Kernel()
{
    do
#ifdef WITH_DEATH
    :: atomic { !dead && published == LAST -> dead = true }
#endif
#ifndef MUT_NO_TIMEOUT
    :: atomic { dead && kernel != NONE -> kernel = NONE }
#endif
    od
}

ltl live_heals { [] (!open_path -> <> open_path) }
ltl live_converges { [] (published == LAST -> <> [] (kernel == LAST)) }
ltl live_expires { [] (dead -> <> (kernel == NONE)) }
