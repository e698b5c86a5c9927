#include "tasks/glue_spec.h"

namespace mixtune {
namespace {

GlueSet train_set(std::vector<std::string> files = {"train.tsv"}) {
  return {"train", std::move(files)};
}
GlueSet dev_set() {
  return {"dev", {"dev.tsv"}};
}
GlueSet test_set(const std::string& submission) {
  return {"test", {"test.tsv"}, submission};
}

std::vector<GlueSpec> make_specs() {
  std::vector<GlueSpec> specs;
  specs.push_back({.name = "cola",
                   .folder = "CoLA",
                   .summary = "is the sentence acceptable English?",
                   .label_kind = GlueLabels::numbers,
                   .labels = {"unacceptable", "acceptable"},
                   .text_fields = {"sentence"},
                   .text_columns = {{"sentence"}},
                   .label_columns = {"label"},
                   .metrics = {"matthews"},
                   .train = train_set(),
                   .evaluation = {dev_set()},
                   .test = {test_set("CoLA.tsv")},
                   .headerless = {"source", "label", "mark", "sentence"}});
  specs.push_back({.name = "sst2",
                   .folder = "SST-2",
                   .summary = "is the film review positive?",
                   .label_kind = GlueLabels::numbers,
                   .labels = {"negative", "positive"},
                   .text_fields = {"sentence"},
                   .text_columns = {{"sentence"}},
                   .label_columns = {"label"},
                   .metrics = {"accuracy"},
                   .train = train_set(),
                   .evaluation = {dev_set()},
                   .test = {test_set("SST-2.tsv")}});
  specs.push_back(
      {.name = "mrpc",
       .folder = "MRPC",
       .summary = "do the two sentences have the same meaning?",
       .label_kind = GlueLabels::numbers,
       .labels = {"not_equivalent", "equivalent"},
       .text_fields = {"sentence1", "sentence2"},
       .text_columns = {{"#1 String", "sentence1", "s1"}, {"#2 String", "sentence2", "s2"}},
       .label_columns = {"Quality", "label"},
       .metrics = {"accuracy", "f1"},
       .train = train_set({"train.tsv", "msr_paraphrase_train.txt"}),
       .evaluation = {dev_set()},
       .test = {{"test", {"test.tsv", "msr_paraphrase_test.txt"}, "MRPC.tsv"}}});
  specs.push_back({.name = "stsb",
                   .folder = "STS-B",
                   .summary = "how similar are the two sentences, from 0 to 5?",
                   .label_kind = GlueLabels::scores,
                   .labels = {},
                   .text_fields = {"sentence1", "sentence2"},
                   .text_columns = {{"sentence1"}, {"sentence2"}},
                   .label_columns = {"score", "label"},
                   .metrics = {"pearson", "spearman"},
                   .train = train_set(),
                   .evaluation = {dev_set()},
                   .test = {test_set("STS-B.tsv")}});
  specs.push_back({.name = "qqp",
                   .folder = "QQP",
                   .summary = "are the two questions duplicates?",
                   .label_kind = GlueLabels::numbers,
                   .labels = {"not_duplicate", "duplicate"},
                   .text_fields = {"question1", "question2"},
                   .text_columns = {{"question1"}, {"question2"}},
                   .label_columns = {"is_duplicate", "label"},
                   .metrics = {"accuracy", "f1"},
                   .train = train_set(),
                   .evaluation = {dev_set()},
                   .test = {test_set("QQP.tsv")},
                   .skips_short_lines = true});
  specs.push_back({.name = "mnli",
                   .folder = "MNLI",
                   .summary = "does the premise entail the hypothesis, contradict it, or neither?",
                   .label_kind = GlueLabels::names,
                   .labels = {"entailment", "neutral", "contradiction"},
                   .text_fields = {"premise", "hypothesis"},
                   .text_columns = {{"sentence1", "premise"}, {"sentence2", "hypothesis"}},
                   .label_columns = {"gold_label", "label"},
                   .metrics = {"accuracy"},
                   .train = train_set(),
                   .evaluation = {{"dev", {"dev_matched.tsv", "dev.tsv"}},
                                  {"dev_mismatched", {"dev_mismatched.tsv"}}},
                   .test = {{"test", {"test_matched.tsv", "test.tsv"}, "MNLI-m.tsv"},
                            {"test_mismatched", {"test_mismatched.tsv"}, "MNLI-mm.tsv"},
                            {"diagnostic", {"diagnostic.tsv"}, "AX.tsv"}}});
  specs.push_back({.name = "qnli",
                   .folder = "QNLI",
                   .summary = "does the sentence contain the answer to the question?",
                   .label_kind = GlueLabels::names,
                   .labels = {"entailment", "not_entailment"},
                   .text_fields = {"question", "sentence"},
                   .text_columns = {{"question"}, {"sentence"}},
                   .label_columns = {"label"},
                   .metrics = {"accuracy"},
                   .train = train_set(),
                   .evaluation = {dev_set()},
                   .test = {test_set("QNLI.tsv")}});
  specs.push_back({.name = "rte",
                   .folder = "RTE",
                   .summary = "does the first text entail the second?",
                   .label_kind = GlueLabels::names,
                   .labels = {"entailment", "not_entailment"},
                   .text_fields = {"sentence1", "sentence2"},
                   .text_columns = {{"sentence1"}, {"sentence2"}},
                   .label_columns = {"label"},
                   .metrics = {"accuracy"},
                   .train = train_set(),
                   .evaluation = {dev_set()},
                   .test = {test_set("RTE.tsv")}});
  specs.push_back({.name = "wnli",
                   .folder = "WNLI",
                   .summary = "does the text entail the sentence with its pronoun replaced?",
                   .label_kind = GlueLabels::numbers,
                   .labels = {"not_entailment", "entailment"},
                   .text_fields = {"sentence1", "sentence2"},
                   .text_columns = {{"sentence1"}, {"sentence2"}},
                   .label_columns = {"label"},
                   .metrics = {"accuracy"},
                   .train = train_set(),
                   .evaluation = {dev_set()},
                   .test = {test_set("WNLI.tsv")}});
  return specs;
}

}  // namespace

const std::vector<GlueSpec>& glue_specs() {
  static const std::vector<GlueSpec> specs = make_specs();
  return specs;
}

}  // namespace mixtune
