// Words as coco-caption (and with it e2e-metrics) makes them for ROUGE-L, CIDEr and METEOR: those
// of the Penn Treebank ("do", "n't"; "it", "'s"; "#" for a pound sign) without punctuation. They
// follow the observed behaviour of Stanford's PTBTokenizer 3.4.1 and equal it on the texts of the
// E2E challenge; docs/metrics.md lists where they are known to differ. ASCII letters come in lower
// case, others as they are.
#pragma once

#include <string_view>

#include "metrics/segment.h"

namespace mixtune {

Words coco_words(std::string_view text);

}  // namespace mixtune
