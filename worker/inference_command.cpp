#include "worker/inference_command.hpp"

#include <torch/torch.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/file_overlap.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/adapter/adapter_folder.hpp"
#include "worker/adapter/lora.hpp"
#include "worker/adapter/running_statistics.hpp"
#include "worker/cli/model_folder.hpp"
#include "worker/cli/progress_bar.hpp"
#include "worker/dataset/fingerprint.hpp"
#include "worker/generation/answered_csv.hpp"
#include "worker/generation/batch_plan.hpp"
#include "worker/generation/shared_batches.hpp"
#include "worker/inference_options.hpp"
#include "worker/loading_bar.hpp"
#include "worker/model/decoders.hpp"
#include "worker/tensors/safetensors.hpp"

namespace mdl::worker {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Batches = std::vector<std::vector<std::size_t>>;

/// The model of a run, named by the options but not loaded.
struct ModelChoice {
  fs::path folder;
  std::optional<adapter::AdapterFolder> adapter;
};

ModelChoice choose_model(const InferenceOptions& options) {
  const fs::path named = cli::find_model_folder(options.model_name);
  ModelChoice choice{named, std::nullopt};
  if (!fs::exists(named / "config.json") && fs::exists(named / "adapter_config.json")) {
    if (options.adapter) { throw UsageError(str_cat("--model-name ", named.string(), " is an adapter already")); }
    choice.adapter = adapter::AdapterFolder::load(named, adapter::AdapterUse::answering);
    choice.folder = cli::find_model_folder(choice.adapter->config.base_model);
  }
  if (options.adapter) {
    choice.adapter = adapter::AdapterFolder::load(*options.adapter, adapter::AdapterUse::answering);
  }
  if (options.merge_adapter && !choice.adapter) {
    throw UsageError("--merge-adapter true, but there is no adapter", "Name it with --adapter.");
  }
  return choice;
}

/// The type that a checkpoint is stored in, which transformers computes in too.
at::ScalarType stored_type(const fs::path& folder) {
  const json config = json::parse(read_text(folder / "config.json"));
  std::string name = config.value("dtype", config.value("torch_dtype", ""));
  if (name.empty()) {
    const tensors::SafetensorsFolder files(folder);
    const std::string weight = model::decoder_type(model::load_config(folder).text).names.embed_tokens + ".weight";
    name = files.entry(weight).dtype == at::kBFloat16 ? "bfloat16" : "float32";
  }
  if (name == "float32") { return at::kFloat; }
  if (name == "bfloat16") { return at::kBFloat16; }
  throw UsageError(str_cat((folder / "config.json").string(), ": the weights are ", name),
                   "Say --bf16 true or --bf16 false: this program computes in bfloat16 or float32.");
}

void add_texts(dataset::Fingerprint& print, const fs::path& folder, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (fs::exists(folder / name)) { print.add(read_text(folder / name)); }
  }
}

void add_weights(dataset::Fingerprint& print, const fs::path& folder) {
  std::vector<fs::path> weights;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".safetensors") { weights.push_back(entry.path()); }
  }
  std::sort(weights.begin(), weights.end());
  for (const fs::path& path : weights) {
    print.add(path.filename().string());
    print.add(static_cast<int64_t>(fs::file_size(path)));
    print.add(fs::last_write_time(path).time_since_epoch().count());
  }
}

/// What the answers depend on and ranks must agree on. Files of weights and sounds may have other times on other hosts.
dataset::Fingerprint common_facts(const InferenceOptions& options, const ModelChoice& model, at::ScalarType dtype) {
  dataset::Fingerprint print;
  print.add(read_text(options.input));
  print.add(options.rows.defaults.system_prompt.value_or(""));
  print.add(options.rows.defaults.user_prompt.value_or(""));
  print.add(options.rows.defaults.base_dir.string());
  print.add(options.quantization ? options.quantization->name() : "");
  add_texts(
      print, model.folder,
      {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"});
  if (model.adapter) { add_texts(print, model.adapter->folder, {"adapter_config.json"}); }
  for (const int64_t value : {options.max_length, options.max_new_tokens.value_or(-1), int64_t{options.merge_adapter},
                              static_cast<int64_t>(options.seed), static_cast<int64_t>(dtype)}) {
    print.add(value);
  }
  return print;
}

/// Throws when the answers would be written over something that the run reads.
void check_answers_go_elsewhere(const InferenceOptions& options, const ModelChoice& model,
                                const convert::RowFile& file) {
  if (!fs::exists(options.output)) { return; }
  const auto refuse = [&](const fs::path& input, const char* what) {
    throw UsageError(str_cat("--output ", options.output.string(), " is ", what, ", ", input.string()),
                     "Give --output the name of another file.");
  };
  if (is_same_file(options.input, options.output)) { refuse(options.input, "the CSV file to answer itself"); }
  if (lies_in(options.output, model.folder)) { refuse(model.folder, "a file of the model's folder"); }
  if (model.adapter && lies_in(options.output, model.adapter->folder)) {
    refuse(model.adapter->folder, "a file of the adapter's folder");
  }
  for (const convert::Row& row : file.rows) {
    if (!row.audio) { continue; }
    const std::string audio = convert::audio_of(row, options.rows.defaults);
    if (is_same_file(audio, options.output)) { refuse(audio, "one of the sounds"); }
  }
}

void check_output_file(const fs::path& output) {
  const fs::path folder = output.has_parent_path() ? output.parent_path() : ".";
  if (fs::is_directory(output)) { throw UsageError(str_cat("--output ", output.string(), " is a folder, not a file")); }
  if (!fs::is_directory(folder)) { throw UsageError(str_cat("--output: there is no folder ", folder.string())); }
  if (::access(folder.c_str(), W_OK) != 0) {
    throw UsageError(str_cat("--output: ", describe_errno("cannot write to", folder, errno)));
  }
}

/// Rank 0's part: the journal, the progress, the table at the end.
class Table {
 public:
  Table(const InferenceOptions& options, const convert::RowFile& file, const std::string& fingerprint)
      : options_(options),
        file_(file),
        journal_(options.output, fingerprint),
        begin_(std::chrono::steady_clock::now()) {
    progress_.emplace(
        cli::BarScale{.what = "Answering", .total = std::ssize(file.rows), .found = std::ssize(journal_.answers())});
  }

  std::vector<std::size_t> rows_left() const {
    std::vector<std::size_t> rows;
    for (std::size_t i = 0; i < file_.rows.size(); ++i) {
      if (!journal_.answers().contains(file_.rows[i].number)) { rows.push_back(i); }
    }
    return rows;
  }

  void take(const generation::BatchAnswers& batch) {
    journal_.add(batch.answers);
    problems_.insert(problems_.end(), batch.problems.begin(), batch.problems.end());
    progress_->add(std::ssize(batch.answers) + std::ssize(batch.problems));
  }

  /// Writes the output. Throws Error that lists the rows that could not be answered, if there are any.
  void finish(int64_t processes) {
    progress_.reset();
    if (!problems_.empty()) {
      throw Error(convert::describe_problems(problems_, options_.input),
                  str_cat("The other answers are in ", journal_.path().string(),
                          ". Correct the sounds and run the same command again: it goes on from there."));
    }
    write_text_atomically(options_.output, generation::answered_csv(file_.records, journal_.answers()));
    journal_.remove();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin_;
    std::cout << str_cat(options_.output.string(), ": ", file_.rows.size(), " rows answered",
                         journal_.found() ? str_cat(" (", journal_.found(), " by an earlier run)") : "", " in ",
                         std::round(seconds.count() * 10) / 10, " s",
                         processes > 1 ? str_cat(" by ", processes, " processes") : "", "\n");
  }

 private:
  const InferenceOptions& options_;
  const convert::RowFile& file_;
  generation::AnswerJournal journal_;
  std::vector<convert::RowProblem> problems_;
  std::optional<cli::ProgressBar> progress_;
  std::chrono::steady_clock::time_point begin_;
};

std::shared_ptr<model::MiDashengLM> ready_model(const ModelChoice& choice, bool merge, at::ScalarType dtype,
                                                at::Device device, const layers::Quantize& quantize,
                                                const model::LoadProgress& progress) {
  auto model = model::load_model(choice.folder, dtype, device, quantize, progress);
  if (choice.adapter) {
    adapter::apply_adapter(*model, *choice.adapter);
    adapter::load_running_statistics(*model, choice.adapter->folder);
  }
  if (merge) { adapter::merge_lora(*model); }
  model->eval();
  return model;
}

}  // namespace

int run_inference(const std::vector<std::string>& arguments) {
  if (std::any_of(arguments.begin(), arguments.end(), [](const auto& a) { return a == "--help" || a == "-h"; })) {
    std::cout << inference_help();
    return 0;
  }
  const InferenceOptions options = parse_inference_options(arguments);
  const auto environment = process::read_worker_environment();
  const at::Device device = distributed::choose_device(environment);
  const ModelChoice choice = choose_model(options);
  const model::ModelConfig model_config = model::load_config(choice.folder);
  if (choice.adapter) { adapter::check_adapter(model_config, *choice.adapter); }
  const generation::GenerationConfig config = generation::load_generation_config(choice.folder);
  const at::ScalarType dtype = !options.bf16 ? stored_type(choice.folder) : *options.bf16 ? at::kBFloat16 : at::kFloat;
  const layers::Quantize quantize =
      options.quantization ? quantization::make_quantizer(*options.quantization, device) : layers::Quantize();
  const processor::Processor processor = processor::Processor::load(choice.folder);
  convert::RowFile file = convert::read_rows(options.input);
  if (!environment || environment->rank == 0) {  // the others write nothing
    check_output_file(options.output);
    check_answers_go_elsewhere(options, choice, file);
  }
  generation::AnswerLimits limits{options.max_length, options.max_new_tokens};
  if (!limits.max_new_tokens) { limits.max_new_tokens = config.max_new_tokens; }
  const convert::RowReader reader(processor, options.rows, convert::RowPurpose::answering, limits.most_prompt_tokens());

  // Gloo also between GPUs: ranks exchange nothing but the answers' text.
  distributed::ProcessGroup group = environment && environment->world_size > 1
                                        ? distributed::ProcessGroup(*environment, at::kCPU)
                                        : distributed::ProcessGroup();
  dataset::Fingerprint fingerprint = common_facts(options, choice, dtype);
  group.require_same(str_cat("options, rows and settings of fingerprint ", fingerprint.hex(), "\n"));

  std::optional<Table> table;
  Batches batches;
  if (group.is_first()) {
    for (const std::string& note : config.notes) { log::warning(note); }
    if (limits.max_new_tokens && !options.max_new_tokens) {
      log::warning("generation_config.json has max_new_tokens ", *limits.max_new_tokens,
                   ", which goes before --max-length");
    }
    add_weights(fingerprint, choice.folder);
    if (choice.adapter) { add_weights(fingerprint, choice.adapter->folder); }
    std::vector<int64_t> lengths;
    for (const convert::CheckedRow& row : reader.check_all(file, options.input)) {
      lengths.push_back(row.tokens);
      for (const int64_t value : {row.samples, row.file_size, row.file_time}) { fingerprint.add(value); }
    }
    table.emplace(options, file, fingerprint.hex());
    batches = generation::plan_batches(lengths, table->rows_left(), options.batch_size);
  }
  batches = json::parse(group.share("batches", json(batches).dump())).get<Batches>();

  std::shared_ptr<model::MiDashengLM> model;
  if (!batches.empty()) {
    model = ready_model(choice, options.merge_adapter, dtype, device, quantize,
                        group.is_first() ? loading_bar(stderr) : model::LoadProgress());
  }
  generation::answer_batches(
      group, batches.size(),
      [&](std::size_t batch) {
        std::vector<convert::Row> rows;
        for (const std::size_t row : batches[batch]) { rows.push_back(file.rows.at(row)); }
        return generation::load_rows(rows, reader, options.rows.workers);
      },
      [&](const generation::LoadedRows& rows) {
        return generation::answer_rows(*model, processor, rows, limits, config, options.seed);
      },
      [&](const generation::BatchAnswers& answers) { table->take(answers); });
  if (table) { table->finish(group.world_size()); }
  // A rank is done when the answers are written: where that fails, all start again.
  group.share("finished", "");
  return 0;
}

}  // namespace mdl::worker
