/* Predict the spectra of a CSV file with a saved model, as software beside an instrument would:
 * one spectrum after the other, each with its value or the reason why it has none.
 *
 *   predict_saved MODEL.xml SPECTRA.csv */
#include <math.h>
#include <spectune.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    spt_ctx *ctx = NULL;
    spt_model *model = NULL;
    spt_options *reading = NULL;
    spt_dataset *dataset = NULL;
    spt_predictor *predictor = NULL;
    double *spectrum = NULL, *value = NULL;
    int status = 1;

    if (argc != 3) {
        fprintf(stderr, "usage: predict_saved MODEL.xml SPECTRA.csv\n");
        return 2;
    }
    if (spt_ctx_new(NULL, &ctx) < 0) return 1;
    /* A spectrum with a missing value shall not cost us the others. */
    if (spt_model_read(ctx, argv[1], &model) < 0 || spt_csv_options_new(ctx, &reading) < 0 ||
        spt_options_set_text(reading, "bad_spectra", "keep") < 0 ||
        spt_dataset_read_csv(ctx, argv[2], reading, &dataset) < 0 ||
        spt_predictor_new(ctx, model, &predictor) < 0) {
        fprintf(stderr, "predict_saved: %s\n", spt_ctx_last_error(ctx));
        goto done;
    }
    if (spt_dataset_bands(dataset) != spt_model_bands(model)) {
        fprintf(stderr, "predict_saved: %s has %lld bands, the model reads %lld\n", argv[2],
                (long long)spt_dataset_bands(dataset), (long long)spt_model_bands(model));
        goto done;
    }
    const int64_t bands = spt_model_bands(model), targets = spt_model_targets(model);
    spectrum = malloc(sizeof *spectrum * (size_t)bands);
    value = malloc(sizeof *value * (size_t)targets);
    if (spectrum == NULL || value == NULL) goto done;
    printf("id,%s\n", spt_model_target(model));
    for (int64_t i = 0; i < spt_dataset_rows(dataset); i++) {
        const char *id = spt_dataset_id(dataset, i);
        int32_t s = spt_dataset_spectra(dataset, i, 1, spectrum, bands);
        if (s < 0) {
            printf("%s,\n", id);
            fprintf(stderr, "%s: %s\n", id, spt_status_text(s));
            continue;
        }
        if (spt_predictor_run(predictor, spectrum, bands, value, targets) < 0) {
            printf("%s,\n", id);
            fprintf(stderr, "%s: %s\n", id, spt_predictor_last_error(predictor));
            continue;
        }
        printf("%s,%.6g\n", id, value[0]);
    }
    status = 0;
done:
    free(value);
    free(spectrum);
    spt_predictor_free(predictor);
    spt_dataset_free(dataset);
    spt_options_free(reading);
    spt_model_free(model);
    spt_ctx_free(ctx);
    return status;
}
