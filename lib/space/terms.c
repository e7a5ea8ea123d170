/* "parameter op values": conditions of existence, and forbidden combinations. */
#include "space.h"

#include <string.h>

/* Discrete parents with no more values than this are tried value by value. */
enum { TRY_ALL = 4096 };

static const struct {
    const char *name, *sign;
} ops[] = {[SPT_OP_EQ] = {"eq", "="},  [SPT_OP_NE] = {"ne", "!="}, [SPT_OP_LT] = {"lt", "<"},
           [SPT_OP_LE] = {"le", "<="}, [SPT_OP_GT] = {"gt", ">"},  [SPT_OP_GE] = {"ge", ">="},
           [SPT_OP_IN] = {"in", "in"}};

const char *spt__op_name(int32_t op)
{
    return op >= SPT_OP_EQ && op <= SPT_OP_IN ? ops[op].name : NULL;
}

int32_t spt__op_of(const char *name)
{
    for (int32_t op = SPT_OP_EQ; op <= SPT_OP_IN; op++)
        if (name && strcmp(ops[op].name, name) == 0) return op;
    return 0;
}

/* ---- evaluation ------------------------------------------------------------------------------ */

static bool equal(double a, double b)
{
    return a >= b && a <= b;
}

static bool compare(const spt__term *t, double x)
{
    switch (t->op) {
    case SPT_OP_EQ:
        return equal(x, t->values[0]);
    case SPT_OP_NE:
        return !equal(x, t->values[0]);
    case SPT_OP_LT:
        return x < t->values[0];
    case SPT_OP_LE:
        return x <= t->values[0];
    case SPT_OP_GT:
        return x > t->values[0];
    case SPT_OP_GE:
        return x >= t->values[0];
    default:
        for (int32_t i = 0; i < t->n; i++)
            if (equal(x, t->values[i])) return true;
        return false;
    }
}

bool spt__term_holds(const spt__term *term, const double *values)
{
    double x = values[term->parameter];
    return !isnan(x) && compare(term, x);
}

static bool all_hold(const spt__terms *terms, const double *values)
{
    for (int32_t i = 0; i < terms->n; i++)
        if (!spt__term_holds(&terms->items[i], values)) return false;
    return true;
}

bool spt__space_exists(const spt_space *space, int32_t index, const double *values)
{
    return all_hold(&space->parameters[index].when, values);
}

int32_t spt__space_forbidden(const spt_space *space, const double *values)
{
    for (int32_t i = 0; i < space->n_forbidden; i++)
        if (space->forbidden[i].n > 0 && all_hold(&space->forbidden[i], values)) return i;
    return -1;
}

/* ---- can it ever hold? ----------------------------------------------------------------------- */

/* Do all terms on this parameter hold for x, `extra` among them? */
static bool holds_for(const spt__terms *terms, const spt__term *extra, double x)
{
    for (int32_t i = 0; i < terms->n; i++)
        if (terms->items[i].parameter == extra->parameter && !compare(&terms->items[i], x))
            return false;
    return compare(extra, x);
}

/* Between two neighbouring values that terms name every x of a continuous parameter fares alike:
 * x itself and one x halfway to the next such value are enough to know. */
static bool holds_near(const spt__terms *terms, const spt__term *extra, const spt__parameter *p,
                       double x)
{
    if (!(x >= p->low && x <= p->high)) return false;
    if (holds_for(terms, extra, x)) return true;
    double next = p->high;
    for (int32_t i = -1; i < terms->n; i++) {
        const spt__term *t = i < 0 ? extra : &terms->items[i];
        if (t->parameter != extra->parameter) continue;
        for (int32_t k = 0; k < t->n; k++)
            if (t->values[k] > x && t->values[k] < next) next = t->values[k];
    }
    return next > x && holds_for(terms, extra, x + (next - x) / 2);
}

/* True also when it would be too dear to know. */
static bool may_hold(const spt__terms *terms, const spt__term *extra, const spt__parameter *p)
{
    if (p->count > TRY_ALL) return true;
    for (int64_t k = 0; k < p->count; k++)
        if (holds_for(terms, extra, spt__space_grid_value(p, k))) return true;
    if (p->count > 0) return false;
    if (holds_near(terms, extra, p, p->low) || holds_near(terms, extra, p, p->high)) return true;
    for (int32_t i = -1; i < terms->n; i++) {
        const spt__term *t = i < 0 ? extra : &terms->items[i];
        if (t->parameter != extra->parameter) continue;
        for (int32_t k = 0; k < t->n; k++)
            if (holds_near(terms, extra, p, t->values[k])) return true;
    }
    return false;
}

/* ---- building -------------------------------------------------------------------------------- */

static bool by_order(int32_t op)
{
    return op == SPT_OP_LT || op == SPT_OP_LE || op == SPT_OP_GT || op == SPT_OP_GE;
}

static int32_t check_op(const spt__parameter *p, int32_t op, int32_t n, spt__err *e)
{
    if (!spt__op_name(op))
        return spt__fail(e, SPT_EINVAL,
                         "comparison %d with '%s'; %d (SPT_OP_EQ) to %d (SPT_OP_IN) "
                         "are possible",
                         op, p->name, SPT_OP_EQ, SPT_OP_IN);
    if (by_order(op) && (p->type == SPT_PARAMETER_CATEGORICAL || p->type == SPT_PARAMETER_BOOL))
        return spt__fail(e, SPT_EINVAL,
                         "'%s' has no order to compare by '%s'; '=', '!=' and 'in' are possible",
                         p->name, ops[op].sign);
    int32_t most = op == SPT_OP_IN ? SPT__SPACE_CHOICES : 1;
    if (n < 1 || n > most)
        return spt__fail(e, SPT_EINVAL, "comparison '%s %s' has %d values; 1%s possible", p->name,
                         ops[op].sign, n, most == 1 ? " is" : " to 1000 are");
    return SPT_OK;
}

static int32_t read_values(const spt__parameter *p, spt__term *term, const char *const *values,
                           spt__err *e)
{
    for (int32_t i = 0; i < term->n; i++) {
        double *x = &term->values[i];
        SPT__TRY(spt__parameter_parse(p, values[i], x, e));
        if (!by_order(term->op) && spt__parameter_accept(p, x, e) < 0)
            return spt__fail_prefix(e, "comparison '%s': ", ops[term->op].sign);
        for (int32_t k = 0; k < i; k++)
            if (equal(term->values[k], *x))
                return spt__fail(e, SPT_EINVAL, "comparison with '%s': value '%s' is named twice",
                                 p->name, values[i]);
    }
    return SPT_OK;
}

/* The text of all terms, `extra` at the end. */
static void print_terms(const spt_space *space, const spt__terms *terms, const spt__term *extra,
                        spt__buf *b)
{
    for (int32_t i = 0; i <= terms->n; i++) {
        const spt__term *t = i < terms->n ? &terms->items[i] : extra;
        const spt__parameter *p = &space->parameters[t->parameter];
        spt__buf_printf(b, "%s%s %s ", i ? " and " : "", p->name, ops[t->op].sign);
        if (t->op == SPT_OP_IN) spt__buf_puts(b, "{");
        for (int32_t k = 0; k < t->n; k++) {
            if (k) spt__buf_puts(b, ", ");
            spt__parameter_print(p, t->values[k], b);
        }
        if (t->op == SPT_OP_IN) spt__buf_puts(b, "}");
    }
}

static int32_t append(spt_space *space, spt__terms *terms, const spt__term *term, spt__err *e)
{
    spt__buf b;
    spt__buf_init(&b, space->ctx);
    print_terms(space, terms, term, &b);
    spt__term *grown = spt__realloc(space->ctx, terms->items, (size_t)terms->n + 1, sizeof *grown);
    if (grown) terms->items = grown;
    char *text = spt__buf_take(&b);
    if (!grown || !text) {
        spt__free(space->ctx, text);
        return spt__nomem(e);
    }
    spt__free(space->ctx, terms->text);
    terms->text = text;
    terms->items[terms->n++] = *term;
    return SPT_OK;
}

/* Check one term and add it; nothing changes on failure. */
static int32_t add_term(spt_space *space, spt__terms *terms, int32_t parameter, int32_t op,
                        const char *const *values, int32_t n, spt__err *e)
{
    const spt__parameter *p = &space->parameters[parameter];
    SPT__TRY(check_op(p, op, n, e));
    if (!values)
        return spt__fail(e, SPT_EINVAL, "the values to compare '%s' with are NULL", p->name);
    if (terms->n >= SPT__SPACE_TERMS)
        return spt__fail(e, SPT_EINVAL, "%d comparisons; no more are possible", terms->n);
    spt__term term = {.parameter = parameter, .op = op, .n = n};
    term.values = spt__alloc(space->ctx, (size_t)n, sizeof *term.values);
    if (!term.values) return spt__nomem(e);
    int32_t status = read_values(p, &term, values, e);
    if (status == SPT_OK && !may_hold(terms, &term, p)) {
        spt__buf b;
        spt__buf_init(&b, space->ctx);
        print_terms(space, terms, &term, &b);
        status = spt__fail(e, SPT_EINVAL, "'%s' can never hold", b.failed ? p->name : b.data);
        spt__buf_free(&b);
    }
    if (status == SPT_OK) status = append(space, terms, &term, e);
    if (status < 0) spt__free(space->ctx, term.values);
    return status;
}

void spt__terms_free(spt_ctx *ctx, spt__terms *terms)
{
    for (int32_t i = 0; i < terms->n; i++)
        spt__free(ctx, terms->items[i].values);
    spt__free(ctx, terms->items);
    spt__free(ctx, terms->text);
    *terms = (spt__terms){0};
}

int32_t spt__space_condition_add(spt_space *space, const char *child, const char *parent,
                                 int32_t op, const char *const *values, int32_t n, spt__err *e)
{
    SPT__TRY(spt__space_changeable(space, e));
    int32_t c = spt__space_index(space, child, e);
    SPT__TRY(c);
    int32_t p = spt__space_index(space, parent, e);
    if (p < 0) return spt__fail_prefix(e, "condition of '%s': ", child);
    if (p >= c)
        return spt__fail(e, SPT_EINVAL,
                         "condition of '%s': '%s' was not added before it; a parent comes first",
                         child, parent);
    if (add_term(space, &space->parameters[c].when, p, op, values, n, e) < 0)
        return spt__fail_prefix(e, "condition of '%s': ", child);
    return SPT_OK;
}

int32_t spt_space_add_condition(spt_space *space, const char *child, const char *parent, int32_t op,
                                const char *const *values, int32_t n)
{
    SPT__REQUIRE(space);
    return spt__space_condition_add(space, child, parent, op, values, n, &space->ctx->err);
}

int32_t spt__space_forbid(spt_space *space, spt__err *e)
{
    SPT__TRY(spt__space_changeable(space, e));
    int32_t n = space->n_forbidden;
    if (n > 0 && space->forbidden[n - 1].n == 0)
        return spt__fail(e, SPT_EINVAL,
                         "forbidden combination %d has no terms yet; one or more are needed before "
                         "the next is started",
                         n);
    if (n >= SPT__SPACE_FORBIDDEN)
        return spt__fail(e, SPT_EINVAL, "%d forbidden combinations; no more are possible", n);
    spt__terms *grown = spt__realloc(space->ctx, space->forbidden, (size_t)n + 1, sizeof *grown);
    if (!grown) return spt__nomem(e);
    space->forbidden = grown;
    space->forbidden[space->n_forbidden++] = (spt__terms){0};
    return SPT_OK;
}

int32_t spt_space_forbid(spt_space *space)
{
    SPT__REQUIRE(space);
    return spt__space_forbid(space, &space->ctx->err);
}

int32_t spt__space_forbid_term(spt_space *space, const char *parameter, int32_t op,
                               const char *const *values, int32_t n, spt__err *e)
{
    SPT__TRY(spt__space_changeable(space, e));
    if (space->n_forbidden == 0)
        return spt__fail(e, SPT_EINVAL,
                         "no forbidden combination was started; spt_space_forbid() comes first");
    int32_t p = spt__space_index(space, parameter, e);
    if (p < 0 ||
        add_term(space, &space->forbidden[space->n_forbidden - 1], p, op, values, n, e) < 0)
        return spt__fail_prefix(e, "forbidden combination %d: ", space->n_forbidden);
    return SPT_OK;
}

int32_t spt_space_forbid_term(spt_space *space, const char *parameter, int32_t op,
                              const char *const *values, int32_t n)
{
    SPT__REQUIRE(space);
    return spt__space_forbid_term(space, parameter, op, values, n, &space->ctx->err);
}
