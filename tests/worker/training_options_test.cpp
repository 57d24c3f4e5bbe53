#include <catch2/catch.hpp>

#include "common/error.hpp"
#include "worker/train_options.hpp"

using namespace mdl;
using Catch::Matchers::Contains;

namespace {

TrainOptions parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--train-dataset", "train", "--output", "out"});
  return parse_train_options(arguments);
}

}  // namespace

TEST_CASE("the defaults are the Python tool's") {
  const TrainOptions options = parse({});
  CHECK(options.model_name == "mispeech/midashenglm-7b");
  CHECK(options.lora.rank == 32);
  CHECK(options.lora.alpha == 32);
  // In parentheses: LibTorch prints any std::set with operator<<, which an enum class does not have.
  CHECK((options.lora.targets == std::set<Target>{Target::encoder, Target::projector, Target::decoder}));
  CHECK(options.merge_lora);
  CHECK(options.learning_rate == 1e-4);
  CHECK(options.epochs == 1.0);
  CHECK(options.batch_size == 8);
  CHECK(options.accumulation_steps == 1);
  CHECK_FALSE(options.bf16.has_value());
  CHECK(options.eval_steps.value == 500);
  CHECK(options.save_steps.value == 500);
  CHECK(options.seed == 42);
}

TEST_CASE("values may follow an equals sign or a space") {
  CHECK(parse({"--lora-rank=16"}).lora.rank == 16);
  CHECK(parse({"--lora-rank", "16"}).lora.rank == 16);
}

TEST_CASE("targets come repeated, with commas or as JSON") {
  const std::set<Target> expected{Target::encoder, Target::decoder};
  CHECK((parse({"--train-target", "encoder", "--train-target", "decoder"}).lora.targets == expected));
  CHECK((parse({"--train-target", "encoder,decoder"}).lora.targets == expected));
  CHECK((parse({"--train-target", R"(["encoder", "decoder"])"}).lora.targets == expected));
}

TEST_CASE("embeddings and head can be trained whole beside adapters") {
  CHECK((parse({"--train-target", "decoder,lm_head,embed_tokens"}).lora.targets ==
         std::set<Target>{Target::decoder, Target::lm_head, Target::embed_tokens}));
}

TEST_CASE("a checkpoint to resume from is a folder, or true for the newest") {
  CHECK(parse({}).resume_from_checkpoint == "false");
  CHECK(parse({"--resume-from-checkpoint", "True"}).resume_from_checkpoint == "true");
  CHECK(parse({"--resume-from-checkpoint", "out/checkpoint-7"}).resume_from_checkpoint == "out/checkpoint-7");
}

TEST_CASE("booleans take values in many spellings") {
  CHECK_FALSE(parse({"--merge-lora", "false"}).merge_lora);
  CHECK_FALSE(parse({"--merge-lora", "No"}).merge_lora);
  CHECK(parse({"--bf16", "1"}).bf16 == true);
  CHECK_FALSE(parse({"--bf16", "auto"}).bf16.has_value());
}

TEST_CASE("intervals may be fractions") {
  CHECK(parse({"--eval-steps", "0.1"}).eval_steps.value == 0.1);
  CHECK_THROWS_WITH(parse({"--eval-steps", "1.5"}), Contains("--eval-steps 1.5"));
  CHECK_THROWS_WITH(parse({"--eval-steps", "0"}), Contains("--eval-steps 0"));
}

TEST_CASE("an unknown option names the one that was meant") {
  CHECK_THROWS_WITH(parse({"--lora-rnak", "16"}), Contains("unknown option --lora-rnak") && Contains("--lora-rank?"));
  CHECK_THROWS_AS(parse({"--lora-rnak", "16"}), UsageError);
  CHECK_THROWS_WITH(parse({"--xyzzy", "1"}), Contains("unknown option --xyzzy") && Contains("--help"));
}

TEST_CASE("an abbreviation is not taken for an option") {
  CHECK_THROWS_WITH(parse({"--lora-r", "16"}), Contains("--lora-r"));
}

TEST_CASE("a value that makes no sense is named with its option") {
  for (const auto& [option, value] : std::vector<std::pair<std::string, std::string>>{{"--lora-rank", "0"},
                                                                                      {"--lora-rank", "8x"},
                                                                                      {"--lora-alpha", "nan"},
                                                                                      {"--lr", "fast"},
                                                                                      {"--lr", "-1"},
                                                                                      {"--num-epochs", "0"},
                                                                                      {"--batch-size", "-4"},
                                                                                      {"--batch-size", "1e3"},
                                                                                      {"--merge-lora", "maybe"},
                                                                                      {"--train-target", "ears"},
                                                                                      {"--save-total-limit", "0"},
                                                                                      {"--lora-dropout", "1"},
                                                                                      {"--lora-dropout", "-0.1"},
                                                                                      {"--seed", "-1"}}) {
    CAPTURE(option, value);
    CHECK_THROWS_WITH(parse({option, value}), Contains(option) && Contains("expected"));
    CHECK_THROWS_AS(parse({option, value}), UsageError);
  }
}

TEST_CASE("an option of the Python tool that is still to come says so") {
  CHECK_THROWS_WITH(parse({"--quantization", "4bit"}), Contains("--quantization 4bit is not yet supported"));
  CHECK_NOTHROW(parse({"--from-modelscope", "false"}));  // asks for what happens anyway
}

TEST_CASE("a missing required option is named") {
  CHECK_THROWS_WITH(parse_train_options({"--output", "out"}), Contains("--train-dataset is required"));
  CHECK_THROWS_WITH(parse_train_options({"--train-dataset", "train"}), Contains("--output is required"));
}

TEST_CASE("a value that stands alone is an error") {
  CHECK_THROWS_AS(parse({"train"}), UsageError);
}

TEST_CASE("the help lists every option with its default") {
  CHECK_THAT(train_help(), Contains("--lora-rank") && Contains("(32)") && Contains("--train-dataset"));
}
