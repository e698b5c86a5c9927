// pytorch_model.bin: tensors are read, and a pickle that contains a call is rejected and not run.
#include <caffe2/serialize/inline_container.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "support/paths.h"
#include "support/state_dict_pickle.h"
#include "tensor/tensor_file.h"

namespace mixtune::test {
namespace {

using Records = std::vector<std::pair<std::string, std::string>>;

// Writes the zip of torch.save around a pickle.
void write_archive(const fs::path& file, const std::string& pickle, const Records& records = {}) {
  caffe2::serialize::PyTorchStreamWriter writer(file.string());
  writer.writeRecord("data.pkl", pickle.data(), pickle.size());
  for (const auto& [name, bytes] : records) writer.writeRecord(name, bytes.data(), bytes.size());
  writer.writeEndOfFile();
}

std::string bytes_of_floats(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

std::string error_of_model(const fs::path& folder) {
  try {
    read_model_tensors(folder);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no UserError";
}

TEST(PickledTensors, AreReadFromTheirStorages) {
  const TemporaryFolder folder;
  const fs::path file = folder / "pytorch_model.bin";
  const std::string weight = bytes_of_floats({0, 1, 2, 3, 4, 5}), bias = bytes_of_floats({7, 8});
  write_archive(file, state_dict_pickle(), {{"data/0", weight}, {"data/1", bias}});
  const NamedTensors read = read_model_tensors(folder.path());
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].first, "weight");
  EXPECT_TRUE(at::equal(read[0].second, at::arange(6, at::kFloat).view({2, 3})));
  EXPECT_TRUE(at::equal(read[1].second, at::tensor({7.0F, 8.0F})));

  const auto expect_error = [&](const std::string& part) {
    EXPECT_NE(error_of_model(folder.path()).find(part), std::string::npos)
        << error_of_model(folder.path());
  };
  const std::string whole = read_file(file);
  for (const size_t length : {size_t{0}, size_t{10}, whole.size() / 2, whole.size() - 1}) {
    write_file_atomically(file, whole.substr(0, length));
    expect_error("cannot be read as a zip of torch.save");
  }
  write_archive(file, state_dict_pickle(),
                {{"data/0", weight}, {"data/1", bias}, {"byteorder", "big"}});
  expect_error("is not little-endian");
  // Both tensors use one storage, with different sizes.
  std::string same = state_dict_pickle();
  same.replace(same.find("1q\x0f"), 1, "0");
  write_archive(file, same, {{"data/0", weight}});
  expect_error("disagree on the size or type of storage 0");
  write_archive(file, state_dict_pickle(), {{"data/0", weight}});
  EXPECT_NE(error_of_model(folder.path()).find("does not hold the 8 bytes of bias"),
            std::string::npos);
  write_archive(file, state_dict_pickle(), {{"data/0", bias}, {"data/1", bias}});
  EXPECT_NE(error_of_model(folder.path()).find("does not hold the 24 bytes of weight"),
            std::string::npos);
}

// A pickle of os.system("touch X"), in the text format of the oldest protocol and in protocol 2.
TEST(PickledTensors, WithACallAreRejectedAndTheCallIsNotRun) {
  const TemporaryFolder folder;
  const fs::path file = folder / "pytorch_model.bin", touched = folder / "X";
  const std::string command = "touch " + touched.string();
  ASSERT_LT(command.size(), 256u);
  const std::string length = {static_cast<char>(command.size()), 0, 0, 0};
  for (const std::string& pickle : {"cos\nsystem\n(S'" + command + "'\ntR.",
                                    "\x80\x02" + ("cos\nsystem\n(X" + length) + command + "tR."}) {
    write_file_atomically(file, pickle);
    EXPECT_NE(error_of_model(folder.path()).find("cannot be read as a zip of torch.save"),
              std::string::npos)
        << error_of_model(folder.path());
    write_archive(file, pickle);
    EXPECT_NE(error_of_model(folder.path()).find("refers to os.system"), std::string::npos)
        << error_of_model(folder.path());
    EXPECT_FALSE(fs::exists(touched));
  }
  // The same zip with an empty dictionary can be read, so the pickle was what was rejected.
  write_archive(file, "\x80\x02}.");
  EXPECT_NE(error_of_model(folder.path()).find("holds no named tensors"), std::string::npos)
      << error_of_model(folder.path());
}

}  // namespace
}  // namespace mixtune::test
