/* Files: whole reads, and writes that appear complete or not at all. */
#ifndef SPT_LIB_BASE_FILE_H
#define SPT_LIB_BASE_FILE_H

#include "ctx.h"

/* Read a whole file. *data ends with a NUL that *size does not count; release with spt__free.
 * Errors name the file and tell a missing file, a directory and a permission apart. */
int32_t spt__file_read(spt_ctx *ctx, const char *path, char **data, size_t *size, spt__err *e);

/* Write through a temporary name beside the target, then fsync and rename. Nothing is left behind
 * on failure; a put that failed has given the writer up already. Where the path is a link, the file
 * it leads to is replaced; a pipe or device is written to directly. */
typedef struct spt__writer {
    spt_ctx *ctx;
    char *path, *temp;
    int fd;
    char *buffer;
    size_t used;
} spt__writer;

int32_t spt__writer_open(spt__writer *w, spt_ctx *ctx, const char *path, spt__err *e);
int32_t spt__writer_put(spt__writer *w, const void *data, size_t size, spt__err *e);
int32_t spt__writer_commit(spt__writer *w, spt__err *e); /* closes the writer either way */
void spt__writer_abort(spt__writer *w);                  /* fine after commit or a failed open */

int32_t spt__file_write(spt_ctx *ctx, const char *path, const void *data, size_t size, spt__err *e);

/* SHA-256 (FIPS 180-4), for checksums of models and fingerprints of data. */
typedef struct spt__sha256 {
    uint32_t state[8];
    uint64_t length;
    uint8_t block[64];
} spt__sha256;
void spt__sha256_init(spt__sha256 *s);
void spt__sha256_put(spt__sha256 *s, const void *data, size_t size);
void spt__sha256_hex(spt__sha256 *s, char out[65]);
/* Fingerprints that do not depend on byte order: little-endian. */
void spt__sha256_double(spt__sha256 *s, double v);
void spt__sha256_int64(spt__sha256 *s, int64_t v);
void spt__sha256_text(spt__sha256 *s, const char *text); /* length, then bytes */

/* base64 (RFC 4648), no line breaks. The encoder's out holds 4 * ((size + 2) / 3) + 1 bytes. */
void spt__base64_encode(const void *data, size_t size, char *out);
/* Blanks are skipped. *out_size in: capacity; out: bytes written. false on any other character. */
bool spt__base64_decode(const char *text, size_t length, void *out, size_t *out_size);

#endif
