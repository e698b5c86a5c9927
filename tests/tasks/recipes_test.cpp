// Every file in recipes/tasks selects a registered task, has its name, and sets only known keys.
#include "base/config.h"
#include "tasks/open_task.h"

namespace mixtune::test {
namespace {

class TaskChoices final : public ChoiceTable {
 public:
  std::vector<std::string> names() const override { return tasks().names(); }
  std::unique_ptr<Config> make(const std::string& name) const override {
    return tasks().get(name, "task.name", "task").config();
  }
};

struct TrainKeys : Config {
  int64_t epochs = 0, batch_size = 0;
  double learning_rate = 0, warmup = 0, weight_decay = 0, epsilon = 0, label_smoothing = 0;
  std::optional<double> clip;
  void fields(FieldVisitor& v) override {
    v.field("epochs", epochs, "");
    v.field("batch_size", batch_size, "");
    v.field("learning_rate", learning_rate, "");
    v.field("warmup", warmup, "");
    v.field("weight_decay", weight_decay, "");
    v.field("epsilon", epsilon, "");
    v.field("label_smoothing", label_smoothing, "");
    v.field("clip", clip, "");
  }
};

struct Layer : Config {
  Choice task;
  TrainKeys train;
  TaskChoices choices;
  void fields(FieldVisitor& v) override {
    v.choice("task", task, choices, "");
    v.nested("train", train, "");
  }
};

TEST(TaskRecipes, EachHasTheNameOfItsTaskAndSetsKnownKeys) {
  for (const std::string name :
       {"arc-challenge", "arc-easy", "boolq", "classify", "cola",       "e2e",        "hellaswag",
        "instruct",      "lm",       "mnli",  "mrpc",     "openbookqa", "piqa",       "qnli",
        "qqp",           "rte",      "siqa",  "sst2",     "stsb",       "winogrande", "wnli"}) {
    SCOPED_TRACE(name);
    Layer layer;
    ConfigLayers layers;
    layers.add_file(source_dir() / "recipes" / "tasks" / (name + ".yaml"));
    layers.apply(layer);
    EXPECT_EQ(layer.task.name, name);
    EXPECT_GT(layer.train.epochs, 0);
    EXPECT_GT(layer.train.batch_size, 0);
    EXPECT_GT(layer.train.learning_rate, 0);
  }
}

}  // namespace
}  // namespace mixtune::test
