#!/usr/bin/env python3
"""Writes calls.h for test_nulls.c: of every public function a call in which everything that can be NULL is, and one for each
parameter that must not be NULL, in which it is and the rest is right.

usage: nulls.py SOURCE-FOLDER OUTPUT"""
import sys
from pathlib import Path

source = Path(sys.argv[1]) if len(sys.argv) == 3 else sys.exit(__doc__)
sys.path.insert(0, str(source / 'tests/abi'))
import headers  # noqa: E402

# Parameters that may be NULL, by their documentation, wherever they stand ...
OPTIONAL = {'user', 'destroy', 'options', 'buffer', 'needed', 'report', 'weights', 'watch', 'enqueued', 'got'}
# ... or in one function.
OPTIONAL_IN = {
    'spt_ctx_new': {'allocator'}, 'spt_ctx_set_kernels': {'name'}, 'spt_ctx_set_log': {'fn'},
    'spt_dataset_read_csv_memory': {'name'}, 'spt_space_read_memory': {'name'}, 'spt_config_read_memory': {'name'}, 'spt_model_read_memory': {'name'},
    'spt_trial_set_text': {'text'}, 'spt_space_set_group': {'group'},
    'spt_study_set_objective': {'fn'}, 'spt_study_set_check': {'fn'}, 'spt_study_set_events': {'fn'},
    'spt_dataset_join_csv': {'key'}, 'spt_dataset_folds': {'group'},
    'spt_scaler_fit': {'rows'}, 'spt_model_fit': {'prep', 'fn'}, 'spt_network_fit': {'fn'},
    'spt_model_assemble': {'prep', 'scaler', 'target_mean', 'target_sd'},
    'spt_predictor_dataset': {'values', 'fn'}, 'spt_store_copy': {'name'}, 'spt_history_steps': {'steps', 'values'},
    'spt_history_repeats': {'mean', 'sd'}, 'spt_study_open': {'name', 'space', 'sampler_options'},
    'spt_study_enqueue': {'names', 'number'}, 'spt_cv_new': {'prep'}, 'spt_cv_new_folds': {'prep'},
    'spt_cv_rows': {'rows', 'folds'}, 'spt_cv_model': {'fn'}, 'spt_fanova_local': {'config', 'sd'},
    'spt_fanova_curve': {'x', 'weight', 'mean', 'sd'}, 'spt_fanova_surface': {'mean', 'sd'},
    'spt_fanova_points': {'number', 'x', 'loss'}, 'spt_sampler_densities': {'log_good', 'log_bad'},
    'spt_store_export': {'study'}, 'spt_store_export_text': {'study'}, 'spt_store_import_json': {'study'},
    'spt_store_import_csv': {'study'}, 'spt_store_copy': {'study', 'name'},
    'spt_trainer_step': {'loss'}, 'spt_trials_trial': {'state', 'loss', 'sequence'},
}
# What must be named rightly, lest another mistake is found first.
NAMES = {'spt_options_': '"epochs"', 'spt_config_': '"learning_rate"'}
VALUES = {('spt_scaler_new', 'mode'): 'SPT_SCALE_CHANNEL'}
CHANGES_SPACE = ('spt_space_add_', 'spt_space_set_', 'spt_space_forbid')
# "options" is the handle itself here.
REQUIRED = {('spt_options_', 'options'), ('spt_training_options_configure', 'options')}
# Functions that take nothing which could be NULL, or answer NULL in words: they must live through it.
WORDS = {'spt_status_name', 'spt_status_text', 'spt_version', 'spt_build_info', 'spt_unit_name', 'spt_axis_unit_name',
         'spt_channel_name', 'spt_trial_state_name', 'spt_kernels_name', 'spt_space_preset_name', 'spt_ctx_last_error',
         'spt_predictor_last_error'}
NUMBERS = {'int32_t', 'int64_t', 'uint32_t', 'uint64_t', 'double'}
ARRAYS = {'const double *': 'numbers', 'double *': 'numbers_out', 'const float *': 'floats', 'float *': 'floats_out',
          'const int32_t *': 'ints', 'int32_t *': 'ints_out', 'const int64_t *': 'longs', 'int64_t *': 'longs_out',
          'const void *': 'bytes', 'void *': 'bytes_out', 'char *': 'text_out', 'char [65]': 'text_out',
          'const char *': '"y"', 'const char *const *': 'texts', 'const char **': '&text'}


def required(function, parameter):
    if any(function.name.startswith(f) and parameter.name == p for f, p in REQUIRED):
        return True
    if parameter == ('const char *', 'study'):
        return False  # the only one that there is
    return parameter.name not in OPTIONAL and parameter.name not in OPTIONAL_IN.get(function.name, ())


def argument(function, parameter, index):
    """The C expression of a right argument, and NULL when `missing` says so."""
    kind = parameter.type
    bare = kind.replace('const ', '').replace(' *', '').replace('*', '').strip()
    if kind in NUMBERS:
        return VALUES.get((function.name, parameter.name), '1')
    if not required(function, parameter):
        return 'count_destroy' if parameter.name == 'destroy' else '&destroyed' if parameter.name == 'user' and \
            any(p.name == 'destroy' for p in function.parameters) else 'NULL'
    if kind.endswith('_fn'):
        right = f'({kind})a_callback'  # never called: the call fails before
    elif kind.count('*') == 2 and bare.startswith('spt_') and 'const' not in kind:
        right = f'(void *)&out_{index}'
    elif kind in ('const spt_config *const *', 'const spt_model *const *'):
        right = f'({kind})&w->{bare[4:]}'
    elif kind in ARRAYS:
        right = ARRAYS[kind]
        if parameter.name == 'name':
            right = next((text for start, text in NAMES.items() if function.name.startswith(start)), right)
    elif bare in RECORDS:
        right = f'&{bare}_'
    elif bare == 'spt_trials':
        right = 'NULL'  # exists only within a call
    else:
        right = 'an_open_space' if function.name.startswith(CHANGES_SPACE) and bare == 'spt_space' else 'w->' + bare[4:]
    return f'missing == {index} || missing < 0 ? NULL : {right}'


def call(function):
    outs = [i for i, p in enumerate(function.parameters) if p.type.count('*') == 2 and p.type.startswith('spt_')]
    lines = [f'static void call_{function.name}(world *w, int missing)', '{', '    (void)w;', '    (void)missing;']
    lines += [f'    void *out_{i} = &nowhere;' for i in outs]
    arguments = ', '.join(argument(function, p, i) for i, p in enumerate(function.parameters))
    if function.returns == 'void':
        lines.append(f'    {function.name}({arguments});')
    else:
        check = {'int32_t': 'negative', 'int64_t': 'negative', 'double': 'not_a_number'}.get(function.returns, 'null')
        if function.name in WORDS:
            check = 'words'
        lines.append(f'    {check}({function.name}({arguments}));')
    # What goes to a caller's list is counted, not cleared.
    if function.name != 'spt_study_ask_many':
        lines += [f'    if (missing >= 0 && missing != {i}) ck_assert_ptr_null(out_{i});' for i in outs]
    return '\n'.join(lines + ['}', ''])


def row(function):
    pointers = [(i, p.name) for i, p in enumerate(function.parameters) if p.type not in NUMBERS and required(function, p)]
    if any(p.type == 'const spt_trials *' for p in function.parameters):
        pointers = []
    # Freeing what the others need would say nothing more.
    if function.name.endswith('_free') or function.name in WORDS:
        pointers = []
    cells = ', '.join(f'{{{i}, "{name}"}}' for i, name in pointers) or '{-1, NULL}'
    destroys = int(any(p.name == 'destroy' for p in function.parameters))
    return f'    {{"{function.name}", call_{function.name}, {destroys}, {len(pointers)}, {{{cells}}}}},'


functions, RECORDS = headers.functions(source / 'include'), headers.records(source / 'include')
most = max(len(f.parameters) for f in functions)
Path(sys.argv[2]).write_text('\n'.join(
    ['/* Written by nulls.py from the public headers. */', '#include "spectune.h"', '']
    + [f'static {r} {r}_;' for r in RECORDS]
    + ['', 'static void init_records(void)', '{'] + [f'    spt_record_init(&{r}_, sizeof {r}_);' for r in RECORDS] + ['}', '']
    + [call(f) for f in functions]
    + ['static const struct {', '    const char *name;', '    void (*call)(world *w, int missing);', '    int destroys;', '    int n;',
       f'    struct {{ int index; const char *name; }} needed[{most}];', '} calls[] = {'] + [row(f) for f in functions] + ['};', '']))
