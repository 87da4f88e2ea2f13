/* SPDX-License-Identifier: Apache-2.0 */
/* prefix: the messages that stand before the bytes of a tunnelled connection: PROXY protocol, SOCKS.
 * Pure functions over borrowed bytes. */
#pragma once

#include "sensor/engine/conn.h"

/* Length of the message that the bytes begin with; 0: it goes on after them; below 0: it is none.
 * At most LAMP_PREFIX_MAX. */
enum { LAMP_PREFIX_MAX = 4096 };
int lamp_proxy1_length(struct lamp_bytes b);
int lamp_proxy2_length(struct lamp_bytes b);
int lamp_socks4_request_length(struct lamp_bytes b);
int lamp_socks4_reply_length(struct lamp_bytes b);
int lamp_socks5_hello_length(struct lamp_bytes b);   /* methods offered */
int lamp_socks5_request_length(struct lamp_bytes b); /* user and password, or the request */
int lamp_socks5_method_length(struct lamp_bytes b);  /* method chosen */
int lamp_socks5_reply_length(struct lamp_bytes b);   /* answer to either */

/* Where a whole message leads to, if it says so; else *t stays. Of PROXY messages: whom the proxy
 * speaks for. */
void lamp_proxy1_tunnel(struct lamp_bytes b, struct lamp_tunnel *t);
void lamp_proxy2_tunnel(struct lamp_bytes b, struct lamp_tunnel *t);
void lamp_socks4_tunnel(struct lamp_bytes b, struct lamp_tunnel *t);
void lamp_socks5_tunnel(struct lamp_bytes b, struct lamp_tunnel *t);
