/* SPDX-License-Identifier: Apache-2.0 */
/* proof: whether a share proves work by its own bytes, and what the hashes of shares tell of the
 * difficulty. A share of Bitcoin's and of Zcash's protocol holds, with its job, the whole block header, so
 * its hash can be computed; a share of CryptoNote states the hash. The first LAMP_PROOF_CHECKS
 * shares of a connection are looked at. A proof is no guard against replay, nor, where the
 * hash is only stated, against invention. Jobs wait in a ring of fixed size that all connections of a
 * classifier share; the oldest makes room. Not thread-safe. */
#pragma once

#include "sensor/recog/session.h"

enum {
    LAMP_PROOF_CHECKS = 16,
    LAMP_PROOF_ENOUGH = 3, /* so many shares are no chance any more */
};

/* Makes a ring for n jobs. LAMP_ENOMEM. */
LAMP_CHECK int lamp_proofs_new(size_t n, lamp_proofs **out);
lamp_proofs *lamp_proofs_free(lamp_proofs *p);
size_t lamp_proofs_memory(size_t n);

/* The extranonce that the pool gave the session, as hex. */
void lamp_proof_extranonce(struct lamp_session *s, struct lamp_bytes hex);

/* The bits of the block version that the miner may choose (BIP 310), as hex. */
void lamp_proof_version_mask(struct lamp_session *s, struct lamp_bytes hex);

/* mining.notify [job, previous hash, coinbase begin, coinbase end, [branch, ..], version, bits, time, ..]
 * and mining.submit [user, job, extranonce2, time, nonce(, version bits)]: the header is hashed twice by
 * SHA-256. One that meets its target also shows that the algorithm is sha256d. */
void lamp_proof_bitcoin_job(struct lamp_session *s, const struct lamp_jsonline *line,
                            const struct lamp_jsonvalue *params);
void lamp_proof_bitcoin_share(struct lamp_session *s, const struct lamp_jsonline *line,
                              const struct lamp_jsonvalue *params);

/* mining.notify [job, version, previous hash, merkle root, reserved, time, bits, ..] and mining.submit
 * [user, job, time, nonce2, solution] of ZIP 301: SHA-256 twice over header, nonce and solution. The
 * solution itself is not verified. */
void lamp_proof_zcash_job(struct lamp_session *s, const struct lamp_jsonline *line,
                          const struct lamp_jsonvalue *params);
void lamp_proof_zcash_share(struct lamp_session *s, const struct lamp_jsonline *line,
                            const struct lamp_jsonvalue *params);

/* The "result" of a CryptoNote share: the last 8 of its 32 bytes, little-endian, are what the target
 * is compared with. */
void lamp_proof_cryptonote_share(struct lamp_session *s, struct lamp_bytes job,
                                 struct lamp_bytes result);

/* Reads from any line of a mining.* session what the calls above need, by the form of its params;
 * from_miner: who says it, is_share: it was counted as one. */
void lamp_proof_line(struct lamp_session *s, const struct lamp_jsonline *line, bool from_miner,
                     bool is_share);

/* Whether the shares prove work: LAMP_PROOF_ENOUGH or more meet their target, or, where none was seen,
 * have hashes so small as chance makes them once in 2^40; and none fails to meet its target. */
bool lamp_proof_holds(const struct lamp_hash_values *v);

/* Expected hashes of a share by the greatest of n hash values, which are uniform below the
 * target: (n + 1) / n of it is the unbiased estimate of the target. 0: fewer than 2 values, or values
 * that no target below 2^-8 would let through. */
double lamp_proof_hashes(const struct lamp_hash_values *v);
