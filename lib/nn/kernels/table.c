/* The table of one instruction set. */
#include "lanes.h"

#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)

const spt__kernels SPT__PATH(kernels) = {
    .name = TEXT(SPT__KERNELS),
    .panel_size = SPT__PATH(panel_size),
    .pack = SPT__PATH(pack),
    .group = SPT__PATH(group),
    .product_work = SPT__PATH(product_work),
    .product = SPT__PATH(product),
    .activate = SPT__PATH(activate),
    .differentiate = SPT__PATH(differentiate),
    .apply_mask = SPT__PATH(apply_mask),
    .draw_mask = SPT__PATH(draw_mask),
    .sums = SPT__PATH(sums),
    .squares = SPT__PATH(squares),
    .products = SPT__PATH(products),
    .normalise = SPT__PATH(normalise),
    .normalise_back = SPT__PATH(normalise_back),
    .pool = SPT__PATH(pool),
    .pool_back = SPT__PATH(pool_back),
    .step_sgd = SPT__PATH(step_sgd),
    .step_adagrad = SPT__PATH(step_adagrad),
    .step_rmsprop = SPT__PATH(step_rmsprop),
    .step_adam = SPT__PATH(step_adam),
};
