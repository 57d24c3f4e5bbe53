#include "worker/answering.hpp"

#include <torch/torch.h>

#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "common/join.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/answer_fingerprint.hpp"
#include "worker/answer_output.hpp"
#include "worker/automatic_type.hpp"
#include "worker/generation/batch_plan.hpp"
#include "worker/generation/dataset_rows.hpp"
#include "worker/generation/file_rows.hpp"
#include "worker/generation/generate.hpp"
#include "worker/generation/shared_batches.hpp"
#include "worker/hub/model_folder.hpp"
#include "worker/loading_bar.hpp"
#include "worker/tensors/out_of_memory.hpp"
#include "worker/training/precision.hpp"

namespace mdl::worker {
namespace {

namespace fs = std::filesystem;

using nlohmann::json;
using Batches = std::vector<std::vector<std::size_t>>;  ///< places of rows in the file

generation::AnswerLimits answer_limits(const InferenceOptions& options, const generation::GenerationConfig& config) {
  return {options.max_length, options.max_new_tokens ? options.max_new_tokens : config.max_new_tokens};
}

/// Gloo also between GPUs: ranks exchange nothing but the answers' text.
distributed::ProcessGroup join_group(const InferenceRun& run) {
  return run.meeting.store
             ? distributed::ProcessGroup(*run.environment, at::kCPU, process::kDefaultDdpTimeout, run.meeting.store)
             : distributed::ProcessGroup();
}

std::unique_ptr<generation::RowSource> source_of(InferenceRun& run) {
  const int64_t most_tokens = run.limits.most_prompt_tokens();
  if (run.dataset) {
    return std::make_unique<generation::DatasetRows>(run.file, run.options.input, *run.dataset, run.processor,
                                                     most_tokens, run.options.rows.workers);
  }
  return std::make_unique<generation::FileRows>(run.file, run.options.input, run.processor, run.options.rows,
                                                most_tokens);
}

void warn_of_settings(const InferenceRun& run) {
  for (const std::string& note : run.config.notes) { log::warning(note); }
  if (run.limits.max_new_tokens && !run.options.max_new_tokens) {
    log::warning("generation_config.json has max_new_tokens ", *run.limits.max_new_tokens,
                 ", which goes before --max-length");
  }
}

/// Rank 0 checks all rows, opens `table` and puts the rows that are left into batches.
Batches plan_answers(const InferenceRun& run, const generation::RowSource& source, dataset::Fingerprint fingerprint,
                     std::optional<AnswerTable>& table) {
  add_weights(fingerprint, run.choice);
  std::vector<int64_t> lengths;
  for (const convert::CheckedRow& row : source.check_all()) {
    lengths.push_back(row.tokens);
    for (const int64_t value : {row.samples, row.file_size, row.file_time}) { fingerprint.add(value); }
  }
  table.emplace(run.options, run.file, fingerprint.hex());
  return generation::plan_batches(lengths, table->rows_left(), run.options.batch_size);
}

/// An Error of `answer` becomes one that names the rows, in the order in which the model has them.
generation::BatchAnswers naming_rows(const generation::LoadedRows& rows,
                                     const std::function<generation::BatchAnswers()>& answer) {
  try {
    return answer();
  } catch (const generation::RowError&) { throw; } catch (const Error& error) {
    std::vector<std::string> numbers;
    for (const convert::Row& row : rows.rows) { numbers.push_back(convert::row_place(row.number, row.line)); }
    throw Error(str_cat(numbers.size() == 1 ? "row " : "rows ", joined(numbers), ": ", error.problem()), error.advice(),
                error.exit_code());
  }
}

/// Loads the model and answers this rank's batches; rank 0's `table` takes those of all ranks.
void answer(const InferenceRun& run, const generation::RowSource& source, const Batches& batches,
            distributed::ProcessGroup& group, const AnswerRows& answer_rows, std::optional<AnswerTable>& table) {
  std::shared_ptr<model::MiDashengLM> model;
  if (!batches.empty()) {
    tensors::explain_memory("loading the model", "--quantization 4bit or --bf16 true needs less.", [&] {
      model = load_chosen_model(run.choice, run.options.merge_adapter, run.dtype, run.meeting.device, run.quantize,
                                group.is_first() ? loading_bar(stderr) : model::LoadProgress());
    });
    const auto unused = model->names.tell_unused();
    if (unused && group.is_first()) { log::warning(*unused); }
  }
  generation::answer_batches(
      group, batches.size(),
      [&](std::size_t batch) {
        std::vector<convert::Row> rows;
        for (const std::size_t row : batches[batch]) { rows.push_back(run.file.rows.at(row)); }
        return source.load(rows);
      },
      [&](const generation::LoadedRows& rows) {
        generation::BatchAnswers answers;
        tensors::explain_memory(
            str_cat("answering ", rows.rows.size(), " rows from row ",
                    rows.rows.empty() ? "0" : convert::row_place(rows.rows.front().number, rows.rows.front().line)),
            "A smaller --batch-size needs less, and so do a smaller --max-new-tokens, --quantization 4bit or --bf16 "
            "true. What was answered is kept; start the command again to go on.",
            [&] { answers = naming_rows(rows, [&] { return answer_rows(*model, source, rows); }); });
        return answers;
      },
      [&](const generation::BatchAnswers& answers) { table->take(answers); });
}

}  // namespace

InferenceRun prepare_answers(const InferenceOptions& options, Answered answered) {
  const auto environment = process::read_worker_environment();
  const distributed::Meeting meeting = distributed::meet_ranks(environment, options.device, process::kDefaultDdpTimeout,
                                                               distributed::Gpus::may_be_shared);
  if (options.bf16.value_or(false)) {
    training::require_dtype(at::kBFloat16, distributed::describe_gpu_without_bf16(meeting.device));
  }
  // A mistake that shows without the weights, of which a download may be 33 GB, is told before it.
  ModelChoice choice = choose_model(options);
  std::optional<dataset::DatasetView> dataset;
  if (answered == Answered::rows_of_file_or_dataset && fs::is_directory(options.input)) {
    dataset.emplace(options.input);
  }
  convert::RowFile file = dataset ? generation::numbered_rows(*dataset) : convert::read_rows(options.input);
  // The other ranks write nothing.
  if (!environment || environment->rank == 0) { check_answer_output(options, choice, file); }
  if (!dataset && hub::needs_download(choice.name, hub::Parts::all, options.rows.from_modelscope)) {
    convert::check_without_model(options.input, options.rows.defaults, convert::RowPurpose::answering);
  }
  fetch_weights(choice, options);
  const model::ModelConfig model_config = model::load_config(choice.folder);
  if (choice.adapter) { adapter::check_adapter(model_config, *choice.adapter); }
  const generation::GenerationConfig config = generation::load_generation_config(choice.folder);
  const at::ScalarType dtype = !options.bf16   ? automatic_type(stored_type(choice.folder), model_config, environment)
                               : *options.bf16 ? at::kBFloat16
                                               : at::kFloat;
  InferenceRun run{
      .options = options,
      .environment = environment,
      .meeting = meeting,
      .choice = choice,
      .config = config,
      .dtype = dtype,
      .quantize = options.quantization ? quantization::make_quantizer(*options.quantization, meeting.device)
                                       : layers::Quantize(),
      .processor = processor::Processor::load(choice.folder),
      .file = std::move(file),
      .dataset = std::move(dataset),
      .limits = answer_limits(options, config),
  };
  return run;
}

void answer_file(InferenceRun& run, const std::string& facts, const AnswerRows& answer_rows,
                 const FinishAnswers& finish) {
  const auto source = source_of(run);
  distributed::ProcessGroup group = join_group(run);
  dataset::Fingerprint fingerprint = common_facts(run.options, run.choice, run.dtype);
  fingerprint.add(facts);
  group.require_same(str_cat("options, rows and settings of fingerprint ", fingerprint.hex(), "\n"));

  std::optional<AnswerTable> table;
  Batches batches;
  if (group.is_first()) {
    warn_of_settings(run);
    batches = plan_answers(run, *source, fingerprint, table);
  }
  batches = json::parse(group.share("batches", json(batches).dump())).get<Batches>();
  answer(run, *source, batches, group, answer_rows, table);
  if (table) { finish(*table, group.world_size()); }
  // A rank is done when the answers are written: where that fails, all start again.
  group.leave();
}

}  // namespace mdl::worker
