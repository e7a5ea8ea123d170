/* A host that trains itself: its own objective, mini-batches and log; the library proposes
 * configurations, builds the networks, keeps the record, and wraps the winner up as a model.
 *
 *   own_training_loop [TRIALS [MODEL.xml]]     in the top folder of the tree
 *
 * Fat in meat: C rows train, M rows score, T rows stay untouched. */
#include <math.h>
#include <spectune.h>
#include <stdio.h>
#include <stdlib.h>

enum { TRAIN = 129, ALL = 172, BANDS = 100, EPOCHS = 60, BATCH = 16 };
enum { CHANNELS = SPT_CHANNEL_A | SPT_CHANNEL_A_D2, VALUES = BANDS * 2 };
#define TRY(call) \
    if ((call) < 0) goto failed

typedef struct host {
    spt_ctx *ctx;
    double y[ALL], mean, sd;
    float x[ALL * VALUES], z[ALL]; /* inputs and targets, scaled */
    double lowest;                 /* loss so far, of the network beside it */
    spt_network *best;
} host;

/* Channels and scaling are the library's; what the scalers see is our business. */
static int32_t prepare(host *h, const spt_dataset *dataset, spt_scaler **scaler)
{
    spt_prep *prep = NULL;
    int32_t s;
    TRY(s = spt_dataset_numbers(dataset, spt_dataset_find_column(dataset, "fat"), h->y, ALL));
    for (int i = 0; i < TRAIN; i++)
        h->mean += h->y[i] / TRAIN;
    for (int i = 0; i < TRAIN; i++)
        h->sd += pow(h->y[i] - h->mean, 2) / (TRAIN - 1);
    h->sd = sqrt(h->sd);
    for (int i = 0; i < ALL; i++)
        h->z[i] = (float)((h->y[i] - h->mean) / h->sd);
    TRY(s = spt_prep_new(h->ctx, &prep));
    TRY(s = spt_prep_channels(h->ctx, prep, dataset, CHANNELS, SPT_FLOAT32, h->x, ALL * VALUES));
    TRY(s = spt_scaler_fit(h->ctx, h->x, TRAIN, BANDS, 2, NULL, 0, SPT_SCALE_CHANNEL, scaler));
    TRY(s = spt_scaler_apply(*scaler, h->x, ALL));
failed:
    spt_prep_free(prep);
    return s;
}

/* The objective: any program may stand here, as long as it sets the loss. */
static int32_t train(spt_trial *trial, double *loss, void *user)
{
    host *h = user;
    spt_network *network = NULL, *other = h->best;
    spt_trainer *trainer = NULL;
    float out[ALL];
    int32_t s, number = (int32_t)spt_trial_number(trial);
    TRY(s = spt_network_from_config(h->ctx, spt_trial_config(trial), BANDS, 2, 1, (uint64_t)number,
                                    &network));
    TRY(s = spt_trainer_new(network, NULL, &trainer));
    for (int epoch = 0; epoch < EPOCHS; epoch++)
        for (int at = 0; at < TRAIN; at += BATCH)
            TRY(s = spt_trainer_step(trainer, h->x + at * VALUES, h->z + at, NULL,
                                     TRAIN - at < BATCH ? TRAIN - at : BATCH, NULL));
    TRY(s = spt_network_predict(network, h->x + TRAIN * VALUES, ALL - TRAIN, out));
    *loss = 0;
    for (int i = TRAIN; i < ALL; i++)
        *loss += pow(out[i - TRAIN] * h->sd + h->mean - h->y[i], 2) / (ALL - TRAIN);
    *loss = sqrt(*loss);
    TRY(s = spt_trial_set_number(trial, "weights", (double)spt_network_weights(network)));
    printf("trial %2d: %6d weights, RMSE %.3f\n", number, (int)spt_network_weights(network), *loss);
    if (h->best == NULL || *loss < h->lowest) {
        h->lowest = *loss;
        h->best = network;
        network = other;
    }
failed:
    spt_trainer_free(trainer);
    spt_network_free(network);
    return s;
}

int main(int argc, char **argv)
{
    static host h;
    spt_options *reading = NULL;
    spt_dataset *file = NULL, *dataset = NULL;
    spt_scaler *scaler = NULL;
    spt_space *space = NULL;
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_model *model = NULL;
    int status = 1;
    if (spt_ctx_new(NULL, &h.ctx) < 0) return 1;
    TRY(spt_csv_options_new(h.ctx, &reading));
    TRY(spt_options_set_text(reading, "unit", "absorbance"));
    TRY(spt_dataset_read_csv(h.ctx, "examples/data/tecator.csv", reading, &file));
    TRY(spt_dataset_select(h.ctx, file, "split", "T", 0, &dataset)); /* C rows first, then M */
    TRY(prepare(&h, dataset, &scaler));

    /* A space of our own; names that the network builder knows need no further code. */
    TRY(spt_space_new(h.ctx, "mine", &space));
    TRY(spt_space_add_int(space, "conv_blocks", 0, 1, 1, 0, 1));
    TRY(spt_space_add_int(space, "conv_1_filters", 4, 32, 4, 0, 8));
    TRY(spt_space_add_condition(space, "conv_1_filters", "conv_blocks", SPT_OP_EQ,
                                (const char *[]){"1"}, 1));
    TRY(spt_space_add_int(space, "fc_blocks", 1, 1, 1, 0, 1));
    TRY(spt_space_add_int(space, "fc_1_units", 8, 128, 1, 1, 32));
    TRY(spt_store_open(h.ctx, "memory:", SPT_STORE_CREATE, &store));
    TRY(spt_study_open(store, NULL, space, NULL, &study));
    TRY(spt_study_set_objective(study, train, &h, NULL));
    TRY(spt_study_run(study, argc > 1 ? atoi(argv[1]) : 10, 0));

    TRY(spt_model_assemble(h.ctx, dataset, NULL, CHANNELS, scaler, h.best, "fat", &h.mean, &h.sd,
                           SPT_TRANSFORM_NONE, &model));
    if (argc > 2) TRY(spt_model_write(h.ctx, model, argv[2]));
    printf("best RMSE on the M rows: %.3f percent fat\n", h.lowest);
    status = 0;
failed:
    if (status) fprintf(stderr, "own_training_loop: %s\n", spt_ctx_last_error(h.ctx));
    spt_model_free(model);
    spt_study_free(study);
    spt_store_free(store);
    spt_space_free(space);
    spt_scaler_free(scaler);
    spt_network_free(h.best);
    spt_dataset_free(dataset);
    spt_dataset_free(file);
    spt_options_free(reading);
    spt_ctx_free(h.ctx);
    return status;
}
