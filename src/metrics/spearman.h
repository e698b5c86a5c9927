// Spearman's rank correlation: Pearson's correlation of average ranks (equal values share the mean
// of their ranks); the second official metric of STS-B. NaN in the same cases as Pearson.
#pragma once

#include <span>
#include <vector>

namespace mixtune {

double spearman(std::span<const double> x, std::span<const double> y);

// Ranks from 1; equal values share the mean of their ranks. The values must not contain NaN.
std::vector<double> average_ranks(std::span<const double> values);

}  // namespace mixtune
