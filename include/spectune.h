/**
 * @file
 * libspectune: one-dimensional convolutional networks for spectra, tuned automatically.
 *
 * This umbrella header includes every room of the library. A host normally includes only this file.
 */
#ifndef SPECTUNE_H
#define SPECTUNE_H

#include "spectune/base.h"
#include "spectune/data.h"
#include "spectune/prep.h"
#include "spectune/space.h"
#include "spectune/nn.h"
#include "spectune/model.h"
#include "spectune/store.h"
#include "spectune/search.h"
#include "spectune/tune.h"
#include "spectune/explain.h"

#endif
