/* SPDX-License-Identifier: Apache-2.0 */
/* ack: the delivery of one stream (docs/WIRE.md, "Delivery"), time left out. A sensor with a spool
 * sends records under a window and goes back; the aggregator commits a record and the next
 * number together, then acknowledges, and says BYE to a session that it does not know. Either side
 * crashes, messages are lost with their connection. What is durable: spooled, next_seq at the
 * sensor (acked), next_seq and merged at the aggregator.
 *
 * Safe: nothing is acknowledged that is not committed; no record is merged twice; the sensor forgets
 * nothing that the aggregator lacks. Live: in the end everything is acknowledged (delivered).
 *
 * tests/model/check turns on one MUT_ at a time and wants each caught. */
#ifndef N
#define N 5 /* records */
#endif
#ifndef WINDOW
#define WINDOW 2
#endif
#ifndef FAULTS
#define FAULTS 3 /* crashes of either side and cuts of the connection, in all */
#endif

mtype = { HELLO, WELCOME, SUMMARY, ACK, BYE };

chan up = [WINDOW + 1] of { mtype, byte, byte };   /* message, session, number */
chan down = [WINDOW + 1] of { mtype, byte, byte };

/* Durable at the sensor. */
byte spooled = 0; /* records 1..spooled are in the spool */
byte acked = 1;   /* below this the sensor may forget */
/* Durable at the aggregator. */
byte next = 1;
byte merged[N + 1];
/* Not durable. */
byte session = 0;    /* of the sensor; grows, as random ids do not come again */
byte known = 0;      /* the aggregator's session; 0: none */
byte send = 1;       /* the next to send */
bool streaming = false;
byte faults = FAULTS;

#define DRAIN(c) do :: c?_,_,_ :: empty(c) -> break od

/* A message that finds no room is lost: timers say it again. */
inline say(c, type, s, n)
{
    if
    :: nfull(c) -> c!type,s,n
    :: full(c)
    fi
}

inline new_session()
{
    session++;
    streaming = false;
    say(up, HELLO, session, 0)
}

active proctype Sensor()
{
    byte s, n;
    atomic { new_session() }
    do
    :: atomic { spooled < N -> spooled++ } /* capture; durable before it is sent */
    :: atomic { streaming && send <= spooled && send < acked + WINDOW && nfull(up) ->
           up!SUMMARY,session,send;
#ifdef MUT_ACK_AT_SEND
           acked = send + 1;
#endif
           send++ }
    :: atomic { down?WELCOME,s,n ->
           if
           :: s == session && !streaming ->
               assert(n <= spooled + 1);
               assert(n >= acked); /* the database was not restored */
               acked = n; send = n; streaming = true
           :: else
           fi }
    :: atomic { down?ACK,s,n ->
           if
           :: s == session && streaming ->
               assert(n <= spooled + 1);
               if :: n > acked -> acked = n :: else fi;
               if :: send < acked -> send = acked :: else fi
           :: else
           fi }
    :: atomic { down?BYE,s,n ->
           if
           :: s == session -> new_session()
           :: else
           fi }
    /* Nothing moves: every message is through, or lost. */
    :: atomic { empty(up) && empty(down) && !streaming -> up!HELLO,session,0 }
#ifndef MUT_NO_GO_BACK
    :: atomic { empty(up) && empty(down) && streaming && send > acked -> send = acked }
#endif
    /* kill -9, power: what is not durable is gone. (A new stream begins in the program; the old one
     * goes on as here, with no new records.) */
    :: atomic { faults > 0 -> faults--; DRAIN(up); DRAIN(down); send = 1; new_session() }
    /* The connection is cut; the session goes on when it comes back (PING finds out). */
    :: atomic { faults > 0 -> faults--; DRAIN(up); DRAIN(down) }
    od
}

active proctype Aggregator()
{
    byte s, n;
    do
    :: atomic { up?HELLO,s,n ->
           known = s;
           say(down, WELCOME, s, next) }
    :: up?SUMMARY,s,n ->
           if
           :: atomic { s != known ->
#ifndef MUT_SILENT
                  say(down, BYE, s, 0)
#endif
              }
           :: atomic { s == known && n == next ->
#ifdef MUT_ACK_BEFORE_COMMIT
                  say(down, ACK, s, n + 1) };
              atomic {
                  if
                  :: known == s -> merged[n]++; next = n + 1
                  :: else /* crashed before the commit */
                  fi
#elif defined(MUT_TWO_TRANSACTIONS)
                  merged[n]++ };
              atomic {
                  if
                  :: known == s -> next = n + 1; say(down, ACK, s, next)
                  :: else
                  fi
#else
                  merged[n]++; next = n + 1; /* one transaction */
                  say(down, ACK, s, next)
#endif
              }
           :: atomic { s == known && n < next ->
#ifdef MUT_NO_DEDUPE
                  merged[n]++;
#endif
                  say(down, ACK, s, next) }
           :: atomic { s == known && n > next ->
#ifdef MUT_ACCEPT_HOLES
                  merged[n]++; next = n + 1;
#endif
                  say(down, ACK, s, next) }
           fi
    od
}

/* kill -9 of the aggregator at any moment, also between what Aggregator does in two steps. */
active proctype Killer()
{
    do
    :: atomic { faults > 0 -> faults--; known = 0; DRAIN(up); DRAIN(down) }
    od
}

#define once_each (merged[1] <= 1 && merged[2] <= 1 && merged[N - 1] <= 1 && merged[N] <= 1)
#define whole ((acked <= 1 || merged[1] > 0) && (acked <= 2 || merged[2] > 0) && \
               (acked <= N - 1 || merged[N - 1] > 0) && (acked <= N || merged[N] > 0))

/* Holds in every state, as Spin lets this process take its only step in every one. */
active proctype Safe()
{
    atomic { !(acked <= next && once_each && whole) -> assert(false) }
}

ltl live { <> (acked == N + 1) }
