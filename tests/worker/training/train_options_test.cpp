#include <catch2/catch.hpp>

#include "common/error.hpp"
#include "worker/training/train_option_table.hpp"
#include "worker/training/train_options.hpp"

using namespace mdl;
using namespace mdl::worker::adapter;
using namespace mdl::worker::reports;
using namespace mdl::worker::training;
using Catch::Contains;

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
  CHECK_FALSE(options.overwrite_output);
}

TEST_CASE("values may follow an equals sign or a space") {
  CHECK(parse({"--lora-rank=16"}).lora.rank == 16);
  CHECK(parse({"--lora-rank", "16"}).lora.rank == 16);
}

TEST_CASE("numbers are read as Python reads them") {
  CHECK(parse({"--batch-size", " +1_6 "}).batch_size == 16);
  CHECK(parse({"--lr", " +1e-4 "}).learning_rate == 1e-4);
}

TEST_CASE("what is said of the adapters is told apart from defaults") {
  CHECK_FALSE(parse({}).given_lora.rank.has_value());
  const GivenLora given = parse({"--lora-rank", "32", "--lora-alpha", "8", "--train-target", "decoder"}).given_lora;
  CHECK(given.rank == 32);
  CHECK(given.alpha == 8.0);
  CHECK_FALSE(given.dropout.has_value());
  CHECK((given.targets == std::set{Target::decoder}));
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
  CHECK(parse({}).resume_from == ResumeFrom(ResumeNever{}));
  CHECK(parse({"--resume-from-checkpoint", "True"}).resume_from == ResumeFrom(ResumeNewest{}));
  CHECK(parse({"--resume-from-checkpoint", "out/checkpoint-7"}).resume_from ==
        ResumeFrom(ResumePath{"out/checkpoint-7"}));
}

TEST_CASE("the time that ranks wait for each other is torch's, or as long as asked") {
  CHECK(parse({}).ddp_timeout == std::chrono::minutes(30));
  CHECK(parse({"--ddp-timeout", "20"}).ddp_timeout == std::chrono::seconds(20));
  CHECK_THROWS_AS(parse({"--ddp-timeout", "0"}), UsageError);
  CHECK_THROWS_AS(parse({"--ddp-timeout", "99999999999999999"}), UsageError);
}

TEST_CASE("booleans take values in many spellings") {
  CHECK_FALSE(parse({"--merge-lora", "false"}).merge_lora);
  CHECK_FALSE(parse({"--merge-lora", "No"}).merge_lora);
  CHECK(parse({"--bf16", "1"}).bf16 == true);
  CHECK(parse({"--tf32", "true"}).tf32 == true);
  CHECK_FALSE(parse({"--tf32", "null"}).tf32.has_value());
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
  CHECK_THROWS_WITH(parse({"--lora-ra", "16"}), Contains("--lora-ra"));
}

TEST_CASE("a value that makes no sense is named with its option") {
  for (const auto& [option, value] :
       std::vector<std::pair<std::string, std::string>>{{"--lora-rank", "0"},
                                                        {"--lora-rank", "8x"},
                                                        {"--lora-alpha", "nan"},
                                                        {"--lr", "fast"},
                                                        {"--lr", "-1"},
                                                        {"--num-epochs", "0"},
                                                        {"--batch-size", "-4"},
                                                        {"--batch-size", "1e3"},
                                                        {"--merge-lora", "maybe"},
                                                        {"--train-target", "ears"},
                                                        {"--save-total-limit", "-1"},
                                                        {"--eval-accumulation-steps", "0"},
                                                        {"--num-workers", "0"},
                                                        {"--skip-bad-samples", "perhaps"},
                                                        {"--lora-dropout", "1"},
                                                        {"--lora-dropout", "-0.1"},
                                                        {"--seed", "-1"}}) {
    CAPTURE(option, value);
    CHECK_THROWS_WITH(parse({option, value}),
                      Contains(option) && (Contains("expected") || Contains("needs true or false")));
    CHECK_THROWS_AS(parse({option, value}), UsageError);
  }
}

TEST_CASE("a learning rate of zero is allowed: the run then only evaluates") {
  CHECK(parse({"--lr", "0"}).learning_rate == 0);
}

TEST_CASE("without a name the model is the published one of the hub") {
  CHECK(parse({}).model_name == "mispeech/midashenglm-7b");
  CHECK_FALSE(parse({"--from-modelscope", "false"}).from_modelscope);
  CHECK(parse({"--from-modelscope", "true"}).from_modelscope);
  CHECK(parse({"--from-modelscope", "true"}).model_name == "midasheng/midashenglm-7b");
  CHECK(parse({"--from-modelscope", "true", "--model-name", "a/b"}).model_name == "a/b");
  CHECK_THROWS_AS(parse({"--from-modelscope", "perhaps"}), UsageError);
}

TEST_CASE("reports go to tensorboard and json, and no other program is promised") {
  using Kinds = std::set<ReportKind>;
  CHECK(parse({}).report_to.empty());
  CHECK((parse({"--report-to", "tensorboard"}).report_to == Kinds{ReportKind::tensorboard}));
  CHECK((parse({"--report-to", R"(["json","tensorboard"])"}).report_to ==
         Kinds{ReportKind::json, ReportKind::tensorboard}));
  CHECK(parse({"--report-to", "none"}).report_to.empty());
  CHECK(parse({"--report-to", "[]"}).report_to.empty());
  CHECK(parse({"--report-to", "all"}).report_to.size() == 2);
  CHECK_THROWS_WITH(parse({"--report-to", "wandb"}), Contains("--report-to wandb is not supported"));
}

TEST_CASE("null is nothing, where the Python tool takes it") {
  CHECK_FALSE(parse({"--bf16", "null"}).bf16.has_value());
  CHECK_FALSE(parse({"--eval-dataset", "null"}).eval_dataset.has_value());
  CHECK_FALSE(parse({"--save-total-limit", "null"}).save_total_limit.has_value());
  CHECK(parse({"--resume-from-checkpoint", "null"}).resume_from == ResumeFrom(ResumeNever{}));
  CHECK_THROWS_AS(parse({"--lora-rank", "null"}), UsageError);
}

TEST_CASE("zero stands for no limit and for the training batch's size, as in the Python tool") {
  CHECK_FALSE(parse({"--save-total-limit", "0"}).save_total_limit.has_value());
  CHECK_FALSE(parse({"--eval-batch-size", "0"}).eval_batch_size.has_value());
}

TEST_CASE("the options of a conversion are those of convert-dataset") {
  const TrainOptions options = parse({"--eval-dataset", "test.csv", "--system-prompt", "You hear.", "--user-prompt", "",
                                      "--base-dir", "sounds", "--tokenizing-batch-size", "4", "--num-workers", "3"});
  CHECK(options.csv.defaults.system_prompt == "You hear.");
  CHECK_FALSE(options.csv.defaults.user_prompt.has_value());
  CHECK(options.csv.defaults.base_dir == "sounds");
  CHECK(options.csv.group_size == 4);
  CHECK(options.csv.workers == 3);
}

TEST_CASE("quantization has two widths, and its options need 4bit") {
  using Kind = mdl::worker::quantization::Quantization::Kind;
  CHECK(!parse({}).quantization);
  CHECK(parse({"--quantization", "8bit"}).quantization->kind == Kind::int8);
  CHECK(parse({"--quantization", "4bit"}).quantization->kind == Kind::fp4);
  const auto doubly =
      parse({"--quantization", "4bit", "--quantization-type", "nf4", "--double-quantization", "true"}).quantization;
  CHECK(doubly->kind == Kind::nf4);
  CHECK(doubly->double_quantization);
  CHECK_THROWS_WITH(parse({"--quantization", "2bit"}), Contains("8bit or 4bit"));
  CHECK_THROWS_WITH(parse({"--quantization", "4bit", "--quantization-type", "int4"}), Contains("fp4 or nf4"));
  CHECK_THROWS_WITH(parse({"--quantization", "8bit", "--quantization-type", "nf4"}),
                    Contains("needs --quantization 4bit"));
  CHECK_THROWS_WITH(parse({"--double-quantization", "true"}), Contains("needs --quantization 4bit"));
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

TEST_CASE("what other programs that train have and this one has not is told") {
  const auto [arguments, advice] = GENERATE(table<std::vector<std::string>, std::string>({
      {{"--label_smoothing_factor", "0.1"}, "no label smoothing"},
      {{"--optim", "adamw_8bit"}, "--quantization 8bit or 4bit"},
      {{"--epochs", "3"}, "Write --num-epochs 3."},
      {{"--report-to", "wandb"}, "wandb sync OUTPUT/runs/*"},
      {{"--wandb-project", "x"}, "wandb sync OUTPUT/runs/*"},
      {{"--deepspeed", "zero3.json"}, "Each process holds the whole model"},
      {{"--fp16", "true"}, "--bf16 true"},
      {{"--load-in-4bit", "true"}, "--quantization 4bit"},
  }));
  CAPTURE(arguments);
  CHECK_THROWS_WITH(parse(arguments), Contains(advice));
}

TEST_CASE("transformers' names of options are understood") {
  const TrainOptions options =
      parse({"--learning_rate", "3e-4", "--num_train_epochs", "2", "--per_device_train_batch_size=3",
             "--per-device-eval-batch-size", "5", "--model_name_or_path", "there", "--lora_r", "4"});
  CHECK(options.learning_rate == 3e-4);
  CHECK(options.epochs == 2);
  CHECK(options.batch_size == 3);
  CHECK(options.eval_batch_size == 5);
  CHECK(options.model_name == "there");
  CHECK(options.given_lora.rank == 4);
}

TEST_CASE("defaults that are told are the defaults") {
  const std::set<std::string> not_alone = {"quantization-type", "double-quantization"};
  std::vector<std::string> told;
  for (const auto& option : kTrainSyntax.options) {
    if (!option.fallback || not_alone.contains(option.name)) { continue; }
    told.insert(told.end(), {std::string("--") + option.name, option.fallback});
  }
  const TrainOptions given = parse(told), without = parse({});
  // All of them, but what the command line was and which of its options said so.
  const auto facts = [](const TrainOptions& options) {
    return std::make_tuple(options.model_name, options.lora, options.merge_lora, options.learning_rate, options.epochs,
                           options.max_steps, options.lr_scheduler, options.warmup_steps.value, options.optimizer,
                           options.max_grad_norm, options.batch_size, options.accumulation_steps,
                           static_cast<int>(options.batch_norm), options.seed);
  };
  const auto more = [](const TrainOptions& options) {
    return std::make_tuple(options.bf16, options.gradient_checkpointing, options.ddp_timeout, options.skip_bad_samples,
                           options.logging_steps.value, static_cast<int>(options.eval_strategy),
                           options.eval_steps.value, static_cast<int>(options.save_strategy), options.save_steps.value,
                           options.best_model, options.report_to, options.csv.group_size);
  };
  CHECK((facts(given) == facts(without)));
  CHECK((more(given) == more(without)));
}

TEST_CASE("a batch has a number of rows or of tokens, not both") {
  CHECK_FALSE(parse({}).batch_tokens.has_value());
  CHECK_FALSE(parse({"--batch-tokens", "null", "--batch-size", "2"}).batch_tokens.has_value());
  CHECK(parse({"--batch-tokens", "4000"}).batch_tokens == 4000);
  CHECK(parse({"--batch_tokens=4000", "--eval-batch-size", "2"}).eval_batch_size == 2);
  CHECK_THROWS_WITH(parse({"--batch-tokens", "0"}), Contains("--batch-tokens 0"));
  CHECK_THROWS_WITH(parse({"--batch-tokens", "4000", "--batch-size", "8"}),
                    Contains("--batch-tokens and --batch-size exclude each other"));
  CHECK_THROWS_WITH(parse({"--group-by-length", "true"}), Contains("Write --batch-tokens N"));
}
