/* Every routine that R may call, with its number of arguments. */
#ifndef SPECTUNE_R_ENTRIES_H
#define SPECTUNE_R_ENTRIES_H

#include <Rinternals.h>

/* clang-format off */
#define ENTRIES(X) \
    X(cv_new, 5) \
    X(cv_about, 1) \
    X(cv_check_space, 2) \
    X(cv_model, 5) \
    X(dataset_new, 4) \
    X(dataset_with, 3) \
    X(dataset_read, 2) \
    X(dataset_join, 4) \
    X(dataset_about, 1) \
    X(dataset_spectra, 1) \
    X(dataset_values, 2) \
    X(dataset_fingerprint, 2) \
    X(dataset_take, 2) \
    X(dataset_select, 4) \
    X(dataset_crop, 3) \
    X(dataset_resample, 2) \
    X(dataset_decimate, 3) \
    X(dataset_average, 2) \
    X(dataset_folds, 4) \
    X(fanova_new, 2) \
    X(fanova_subset, 2) \
    X(fanova_needed, 3) \
    X(fanova_all, 1) \
    X(fanova_curve, 2) \
    X(fanova_surface, 3) \
    X(fanova_local, 4) \
    X(ped, 3) \
    X(model_fit, 8) \
    X(model_assemble, 9) \
    X(model_ensemble, 1) \
    X(model_note, 3) \
    X(model_read, 1) \
    X(model_from_text, 1) \
    X(model_text, 1) \
    X(model_write, 2) \
    X(model_about, 1) \
    X(model_predict, 3) \
    X(statistics, 2) \
    X(network_new, 5) \
    X(network_from_config, 6) \
    X(config_channels, 2) \
    X(network_summary, 1) \
    X(network_tensors, 1) \
    X(network_set, 3) \
    X(network_predict, 3) \
    X(network_fit, 9) \
    X(trainer_new, 2) \
    X(trainer_step, 5) \
    X(options_describe, 1) \
    X(threads, 1) \
    X(memory_limit, 1) \
    X(kernels, 1) \
    X(is_stale, 1) \
    X(version_info, 0) \
    X(close, 1) \
    X(prep_new, 2) \
    X(prep_text, 1) \
    X(prep_apply, 2) \
    X(prep_channels, 3) \
    X(prep_savgol, 5) \
    X(scaler_fit, 3) \
    X(scaler_new, 5) \
    X(scaler_apply, 2) \
    X(sampler_new, 2) \
    X(sampler_given, 2) \
    X(sampler_host, 3) \
    X(sampler_propose, 2) \
    X(sampler_tell, 7) \
    X(sampler_densities, 3) \
    X(config_complete, 3) \
    X(config_read, 2) \
    X(config_write, 3) \
    X(space_new, 1) \
    X(space_preset, 1) \
    X(space_presets, 0) \
    X(space_read, 1) \
    X(space_from_text, 1) \
    X(space_text, 1) \
    X(space_write, 2) \
    X(space_add_number, 5) \
    X(space_add_choices, 5) \
    X(space_condition, 5) \
    X(space_group, 3) \
    X(space_forbid, 4) \
    X(space_about, 1) \
    X(store_open, 2) \
    X(store_studies, 1) \
    X(store_export, 4) \
    X(store_import, 4) \
    X(store_copy, 4) \
    X(store_stamp, 2) \
    X(store_block, 4) \
    X(history_read, 2) \
    X(history_all, 1) \
    X(history_space, 1) \
    X(history_outstanding, 1) \
    X(history_config, 2) \
    X(study_open, 4) \
    X(study_set, 2) \
    X(study_set_cv, 2) \
    X(study_set_sampler, 2) \
    X(study_pin, 3) \
    X(study_history, 1) \
    X(study_enqueue, 4) \
    X(study_warm_start, 3) \
    X(study_confirm, 3) \
    X(trial_about, 1) \
    X(trial_report, 3) \
    X(trial_heartbeat, 1) \
    X(trial_should_prune, 1) \
    X(trial_attach, 3) \
    X(trial_tell, 3) \
    X(study_run, 5) \
    X(study_ask, 3) \
    X(study_ask_given, 3) \
    X(study_replay, 2)
/* clang-format on */

#define ARGS_0 void
#define ARGS_1 SEXP
#define ARGS_2 SEXP, SEXP
#define ARGS_3 SEXP, SEXP, SEXP
#define ARGS_4 SEXP, SEXP, SEXP, SEXP
#define ARGS_5 SEXP, SEXP, SEXP, SEXP, SEXP
#define ARGS_6 SEXP, SEXP, SEXP, SEXP, SEXP, SEXP
#define ARGS_7 SEXP, SEXP, SEXP, SEXP, SEXP, SEXP, SEXP
#define ARGS_8 SEXP, SEXP, SEXP, SEXP, SEXP, SEXP, SEXP, SEXP
#define ARGS_9 SEXP, SEXP, SEXP, SEXP, SEXP, SEXP, SEXP, SEXP, SEXP
#define X(name, n) SEXP R_##name(ARGS_##n);
ENTRIES(X)
#undef X

#endif
