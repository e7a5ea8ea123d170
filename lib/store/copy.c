/* Studies from store to store. */
#include "image.h"

static int32_t copy(spt_store *from, const char *study, spt_store *to, const char *name,
                    spt__image *image)
{
    SPT__TRY(spt__image_read(from, study, true, image));
    if (name != NULL) SPT__TRY(spt__image_rename(image, name));
    return spt__image_write(to, image);
}

int32_t spt_store_copy(spt_store *from, const char *study, spt_store *to, const char *name)
{
    spt__image image;
    SPT__REQUIRE(from != NULL && to != NULL);
    to->ctx->err.status = SPT_OK;
    spt__image_init(&image, from->ctx);
    const int32_t status = copy(from, study, to, name, &image);
    spt__image_free(&image);
    /* With two contexts the text is looked for in that of the target. */
    if (status < 0 && to->ctx->err.status != status) to->ctx->err = from->ctx->err;
    return status;
}
