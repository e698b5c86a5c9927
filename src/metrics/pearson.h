// Pearson's correlation of two vectors, in [-1, 1]; the first official metric of STS-B. NaN if a
// vector is constant, contains a NaN or has fewer than two entries: the correlation is undefined
// then, and 0 would look like a result.
#pragma once

#include <span>

namespace mixtune {

double pearson(std::span<const double> x, std::span<const double> y);

}  // namespace mixtune
