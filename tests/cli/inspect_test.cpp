// mixtune inspect of a pickled dictionary of tensors, which no run writes.
#include <caffe2/serialize/inline_container.h>

#include "base/file.h"
#include "run_cli.h"
#include "support/paths.h"
#include "support/state_dict_pickle.h"

namespace mixtune::test {
namespace {

TEST(Inspect, ListsTheTensorsOfAPickledModel) {
  const TemporaryFolder folder;
  const std::string file = (folder / "pytorch_model.bin").string();
  const std::string pickle = state_dict_pickle(), zeros(24, '\0');
  caffe2::serialize::PyTorchStreamWriter writer(file);
  writer.writeRecord("data.pkl", pickle.data(), pickle.size());
  writer.writeRecord("data/0", zeros.data(), 24);
  writer.writeRecord("data/1", zeros.data(), 8);
  writer.writeEndOfFile();
  const CliResult result = run_cli({"inspect", file});
  ASSERT_EQ(result.code, 0) << result.err;
  for (const char* part : {"pytorch_model.bin: a pickled dictionary of tensors", "weight", "[2, 3]",
                           "2 tensors, 8 elements (8 F32), 32 B"})
    EXPECT_TRUE(says(result.out, part)) << result.out;

  // A model folder whose only weights are that file.
  write_file_atomically(folder / "config.json",
                        "{\"model_type\": \"gpt2\", \"vocab_size\": 10, \"n_embd\": 4, "
                        "\"n_layer\": 1, \"n_head\": 1, \"n_positions\": 8}");
  const CliResult model = run_cli({"inspect", folder.path().string()});
  ASSERT_EQ(model.code, 0) << model.err;
  EXPECT_TRUE(says(model.out, "a model of type gpt2")) << model.out;
  EXPECT_TRUE(says(model.out, "2 tensors, 8 elements")) << model.out;
}

}  // namespace
}  // namespace mixtune::test
