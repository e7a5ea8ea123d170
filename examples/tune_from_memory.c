/* Tune a 1D-CNN on spectra that a program holds in memory, and predict with the result.
 *
 *   tune_from_memory [TRIALS [MODEL.xml]]
 *
 * The spectra are made up: a constituent with two absorption bands, an interfering one, scatter and
 * noise. A host puts its own arrays in their place. */
#include <math.h>
#include <spectune.h>
#include <stdio.h>
#include <stdlib.h>

enum { SAMPLES = 160, BANDS = 120 };

/* Leave a function that has `ctx` and a label "failed" at the first call that fails. */
#define TRY(call)                    \
    do {                             \
        if ((call) < 0) goto failed; \
    } while (0)

static double uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) / 9007199254740992.0;
}

static double band(double wavelength, double centre, double width)
{
    double d = (wavelength - centre) / width;
    return exp(-0.5 * d * d);
}

/* Absorbance of samples with 5 to 35 percent of the constituent, 1100 to 1576 nm. */
static void measure(float *spectra, double *axis, double *percent)
{
    uint64_t state = 7;
    for (int j = 0; j < BANDS; j++)
        axis[j] = 1100 + 4 * j;
    for (int i = 0; i < SAMPLES; i++) {
        double c = 5 + 30 * uniform(&state), other = uniform(&state);
        double scatter = 0.8 + 0.4 * uniform(&state), offset = 0.2 * uniform(&state);
        percent[i] = c;
        for (int j = 0; j < BANDS; j++) {
            double a = 0.012 * c * (band(axis[j], 1210, 25) + 0.6 * band(axis[j], 1390, 40)) +
                       0.5 * other * band(axis[j], 1440, 50);
            double noise = 0.001 * (uniform(&state) - 0.5);
            spectra[i * BANDS + j] = (float)(0.3 + offset + scatter * a + noise);
        }
    }
}

/* One line per finished trial. */
static int32_t tell(const spt_event *event, void *user)
{
    (void)user;
    if (event->kind == SPT_EVENT_TRIAL_END)
        printf("trial %2d: %-8s RMSE %6.3f   best %6.3f (trial %d)\n", (int)event->trial,
               spt_trial_state_name(event->state), event->loss, event->best,
               (int)event->best_trial);
    return SPT_OK;
}

int main(int argc, char **argv)
{
    static float spectra[SAMPLES * BANDS];
    static double axis[BANDS], percent[SAMPLES], first[BANDS];
    int trials = argc > 1 ? atoi(argv[1]) : 12;
    spt_ctx *ctx = NULL;
    spt_dataset *bare = NULL, *dataset = NULL;
    spt_space *space = NULL;
    spt_cv *cv = NULL;
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_history *history = NULL;
    spt_model *model = NULL;
    spt_predictor *predictor = NULL;
    spt_matrix view;
    double value;
    int status = 1;

    measure(spectra, axis, percent);
    if (spt_ctx_new(NULL, &ctx) < 0) return 1;
    spt_record_init(&view, sizeof view);
    view.dtype = SPT_FLOAT32;
    view.data = spectra;
    view.rows = SAMPLES;
    view.cols = BANDS;
    TRY(spt_dataset_new(ctx, &view, axis, SPT_AXIS_NM, SPT_UNIT_ABSORBANCE, 1, NULL, NULL, &bare));
    TRY(spt_dataset_with_numbers(ctx, bare, "percent", percent, SAMPLES, &dataset));

    /* What a trial is scored by, where trials are kept, what is searched. */
    TRY(spt_cv_new(ctx, dataset, NULL, "percent", NULL, &cv));
    TRY(spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    TRY(spt_space_preset(ctx, "small", &space));
    TRY(spt_study_open(store, "constituent", space, NULL, &study));
    TRY(spt_study_set_cv(study, cv));
    TRY(spt_study_set_events(study, tell, NULL, NULL));
    TRY(spt_study_run(study, trials, 0));

    /* The best trial, trained once more on all samples. */
    TRY(spt_study_history(study, &history));
    TRY(spt_cv_model(cv, history, spt_history_best(history), 0, NULL, NULL, &model));
    if (argc > 2) TRY(spt_model_write(ctx, model, argv[2]));
    TRY(spt_predictor_new(ctx, model, &predictor));
    TRY(spt_dataset_spectra(dataset, 0, 1, first, BANDS));
    TRY(spt_predictor_run(predictor, first, BANDS, &value, 1));
    printf("first sample: predicted %.2f percent, made with %.2f\n", value, percent[0]);
    status = 0;
failed:
    if (status) fprintf(stderr, "tune_from_memory: %s\n", spt_ctx_last_error(ctx));
    spt_predictor_free(predictor);
    spt_model_free(model);
    spt_history_free(history);
    spt_study_free(study);
    spt_store_free(store);
    spt_cv_free(cv);
    spt_space_free(space);
    spt_dataset_free(dataset);
    spt_dataset_free(bare);
    spt_ctx_free(ctx);
    return status;
}
