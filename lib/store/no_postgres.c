/* A build without PostgreSQL's client library. */
#include "db.h"

const spt__driver *spt__postgres(void)
{
    return NULL;
}
