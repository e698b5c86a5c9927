// Words as tokenized by coco-caption (and e2e-metrics, which uses it) for ROUGE-L, CIDEr and
// METEOR: those of the Penn Treebank ("do", "n't"; "it", "'s"; "#" for a pound sign) without
// punctuation. They follow the observed behavior of Stanford's PTBTokenizer 3.4.1 and equal it on
// the texts of the E2E challenge; docs/metrics.md lists known differences. ASCII letters are
// converted to lower case, others are unchanged.
#pragma once

#include <string_view>

#include "metrics/segment.h"

namespace mixtune {

Words coco_words(std::string_view text);

}  // namespace mixtune
