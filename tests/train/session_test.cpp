// Opening a session: dropout, token ids and device.
#include "train/session.h"

#include "tiny_language.h"

namespace mixtune::test {
namespace {

TEST(Session, AModelHasTheDropoutOfItsConfigUnlessItIsSet) {
  const LanguageWorld decoders("gpt2", 0.1);
  const TinyWorld encoders(0.1);
  Recorder recorder;
  for (const std::string named : {"null", "0", "0.3"}) {
    SCOPED_TRACE(named);
    const double expected = named == "null" ? 0.1 : std::stod(named);
    const std::vector<std::string> overrides = {"model.dropout=" + named, "method.lora_dropout=0"};
    const auto decoder = open_session(decoders.config("run", "lm", overrides), {}, recorder);
    const auto encoder = open_session(encoders.config("run", overrides), {}, recorder);
    for (Session* session : {decoder.get(), encoder.get()}) {
      EXPECT_EQ(session->model->config().attention_dropout, expected);
      EXPECT_EQ(session->model->sites().stack->is_random(), expected > 0);
    }
    EXPECT_EQ(decoder->model->config().decoder->embedding_dropout, expected);
    EXPECT_EQ(decoder->model->config().decoder->residual_dropout, expected);
    EXPECT_EQ(encoder->model->config().hidden_dropout, expected);
    EXPECT_EQ(encoder->model->config().head_dropout(), expected);
  }
  contains(user_error([&] { encoders.config("run", {"model.dropout=1"}); }), "model.dropout is 1");
}

TEST(Session, RejectsIdsWithoutAnEmbedding) {
  ModelConfig model;
  model.vocab_size = 3;
  EXPECT_NO_THROW(check_ids(std::vector<int32_t>{0, 2}, model, "here"));
  contains(user_error([&] {
             check_ids(std::vector<int32_t>{0, 3}, model, "here");
           }),
           "here: the tokenizer gives id 3; the model has embeddings for 0 to 2");
}

TEST(ChooseDevice, ReportsTheNumberOfCudaDevices) {
  if (at::hasCUDA()) GTEST_SKIP() << "this machine has CUDA devices";
  EXPECT_TRUE(choose_device("auto").is_cpu());
  for (const std::string name : {"cuda", "cuda:3"})
    contains(user_error([&] { choose_device(name); }),
             "device: is " + name + "; this machine has 0 CUDA devices");
}

}  // namespace
}  // namespace mixtune::test
