/* Opening and closing: which kind of database an url names. */
#include "db.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

spt_store *spt__store_ref(spt_store *store)
{
    store->refs++;
    return store;
}

spt_ctx *spt__store_ctx(const spt_store *store)
{
    return store->ctx;
}

void spt_store_free(spt_store *store)
{
    if (store == NULL || --store->refs > 0) return;
    spt_ctx *ctx = store->ctx;
    /* What is open in a child of fork() is the parent's, and goes with the child's end. */
    if (store->driver != NULL && (store->process == 0 || store->process == getpid()))
        store->driver->close(store);
    spt__free(ctx, store->path);
    spt__free(ctx, store->url);
    spt__free(ctx, store->study_name);
    spt__free(ctx, store);
    spt__ctx_unref(ctx);
}

/* What an url names. */
typedef struct place {
    const spt__driver *driver;
    const char *path; /* of a file */
} place;

/* Behind "postgresql://", also where a Python program says which module it takes for it; or NULL.
 */
static const char *behind_postgres(const char *url)
{
    static const char *const schemes[] = {"postgresql", "postgres"};
    for (size_t i = 0; i < 2; i++) {
        const size_t n = strlen(schemes[i]);
        if (strncmp(url, schemes[i], n) != 0) continue;
        const char *rest = url + n;
        if (*rest == '+') rest += strcspn(rest, ":");
        if (strncmp(rest, "://", 3) == 0) return rest + 3;
    }
    return NULL;
}

static int32_t find_place(spt_ctx *ctx, const char *url, place *out)
{
    static const char sqlite[] = "sqlite:///";
    *out = (place){&spt__sqlite, url};
    if (strncmp(url, sqlite, sizeof sqlite - 1) == 0) out->path = url + sizeof sqlite - 1;
    if (*out->path == '\0')
        return spt__fail(&ctx->err, SPT_EINVAL, "%s: names no file behind sqlite:///", url);
    if (out->path != url || strstr(url, "://") == NULL) return SPT_OK;
    if (behind_postgres(url) == NULL)
        return spt__fail(&ctx->err, SPT_EUNSUPPORTED,
                         "%s: studies are kept in a file (sqlite:///FILE), in memory (memory:) or"
                         " in PostgreSQL (postgresql://HOST/DATABASE)",
                         url);
    *out = (place){spt__postgres(), NULL};
    if (out->driver != NULL) return SPT_OK;
    return spt__fail(&ctx->err, SPT_EUNSUPPORTED,
                     "this build of the library knows no PostgreSQL; build it again with libpq's"
                     " headers there (Debian: libpq-dev)");
}

/* An url to show, without the password, and one for the client library. */
static int32_t name_server(spt_store *s, const char *url)
{
    const char *rest = behind_postgres(url);
    const size_t host = strcspn(rest, "/?"), user = strcspn(rest, ":@/?");
    const char *at = NULL;
    spt__buf shown, full;
    for (size_t i = 0; i < host; i++)
        if (rest[i] == '@') at = rest + i;
    spt__buf_init(&shown, s->ctx);
    spt__buf_init(&full, s->ctx);
    spt__buf_printf(&full, "postgresql://%s", rest);
    spt__buf_puts(&shown, "postgresql://");
    if (at != NULL) spt__buf_put(&shown, rest, user);
    /* A password may stand behind the question mark, too. */
    const char *tail = at != NULL ? at : rest;
    spt__buf_put(&shown, tail, strcspn(tail, "?"));
    spt__buf_puts(&shown, "");
    s->path = spt__buf_take(&shown);
    s->url = spt__buf_take(&full);
    return s->path != NULL && s->url != NULL ? SPT_OK : spt__nomem(&s->ctx->err);
}

static int32_t look(spt_store *s, void *arg)
{
    (void)arg;
    SPT__TRY(spt__schema_check(s));
    if (!s->tables && s->mode != SPT_STORE_CREATE)
        return spt__fail(&s->ctx->err, SPT_EFORMAT, "%s: is empty, not a %s of studies", s->path,
                         s->driver->words);
    return SPT_OK;
}

static int32_t open_place(spt_store *s, const place *at, const char *url)
{
    const bool memory = at->path != NULL && strcmp(at->path, "memory:") == 0;
    s->driver = at->driver;
    s->process = memory ? 0 : getpid();
    if (at->path == NULL) {
        SPT__TRY(name_server(s, url));
    } else {
        s->path = spt__strdup(s->ctx, at->path);
        if (s->path == NULL) return spt__nomem(&s->ctx->err);
    }
    if (memory && s->mode != SPT_STORE_CREATE)
        return spt__fail(&s->ctx->err, SPT_EINVAL,
                         "'memory:' is empty when it is opened; open it with SPT_STORE_CREATE");
    /* A file that is to be made appears with its first study, not before: what fails until then
     * leaves nothing behind. */
    if (s->mode == SPT_STORE_CREATE && at->path != NULL && !memory && access(s->path, F_OK) != 0 &&
        errno == ENOENT)
        return SPT_OK;
    SPT__TRY(s->driver->open(s, false));
    return spt__db_transact(s, false, look, NULL);
}

int32_t spt_store_open(spt_ctx *ctx, const char *url, int32_t mode, spt_store **out)
{
    place at;
    SPT__REQUIRE(out != NULL);
    *out = NULL;
    SPT__REQUIRE(ctx != NULL);
    if (url == NULL || *url == '\0')
        return spt__fail(&ctx->err, SPT_EINVAL, "the name of the study file is empty");
    if (mode < SPT_STORE_CREATE || mode > SPT_STORE_READONLY)
        return spt__fail(&ctx->err, SPT_EINVAL, "mode is %d; 1 to 3 are possible", (int)mode);
    SPT__TRY(find_place(ctx, url, &at));
    spt_store *s = spt__calloc(ctx, 1, sizeof *s);
    if (s == NULL) return spt__nomem(&ctx->err);
    s->ctx = spt__ctx_ref(ctx);
    s->refs = 1;
    s->mode = mode;
    const int32_t status = open_place(s, &at, url);
    if (status < 0) {
        spt_store_free(s);
        return status;
    }
    *out = s;
    return SPT_OK;
}
