#include "worker/training/checkpoint/training_args.hpp"

#include <nlohmann/json.hpp>

#include "common/pickle/pickle_writer.hpp"
#include "worker/tensors/torch_archive.hpp"

namespace mdl::worker::training::checkpoint {
namespace {

/// A step interval: a whole number of steps, or a fraction below 1.
void write_interval(PickleWriter& out, const cli::StepInterval& interval) {
  if (interval.value < 1 && interval.value > 0) { return out.real(interval.value); }
  out.integer(static_cast<int64_t>(interval.value));
}

void write_optional(PickleWriter& out, const std::optional<int64_t>& value) {
  if (value) { return out.integer(*value); }
  out.none();
}

void write_reports(PickleWriter& out, const std::set<reports::ReportKind>& kinds) {
  out.empty_list();
  out.mark();
  if (kinds.count(reports::ReportKind::tensorboard)) {
    out.string("tensorboard");  // transformers has no "json"
  }
  out.appends();
}

void write_optimizer(PickleWriter& out, const TrainOptions& options) {
  const AdamWSettings& adamw = options.optimizer;
  const std::pair<const char*, double> settings[] = {{"weight_decay", adamw.weight_decay},
                                                     {"adam_beta1", adamw.beta1},
                                                     {"adam_beta2", adamw.beta2},
                                                     {"adam_epsilon", adamw.epsilon},
                                                     {"max_grad_norm", options.max_grad_norm}};
  for (const auto& [name, value] : settings) {
    out.string(name);
    out.real(value);
  }
}

void write_schedule(PickleWriter& out, const TrainOptions& options) {
  const LrScheduler& scheduler = options.lr_scheduler;
  out.string("lr_scheduler_type");
  out.string(scheduler_type_name(scheduler.type));
  const std::string kwargs = scheduler.kwargs();
  if (!kwargs.empty()) {
    out.string("lr_scheduler_kwargs");
    out.empty_dict();
    out.mark();
    const auto object = nlohmann::json::parse(kwargs);
    for (const auto& [name, value] : object.items()) {
      out.string(name);
      if (value.is_number_integer()) {
        out.integer(value.get<int64_t>());
      } else {
        out.real(value.get<double>());
      }
    }
    out.set_items();
  }
  out.string("warmup_steps");
  write_interval(out, options.warmup_steps);
}

void write_best_model(PickleWriter& out, const BestModelOptions& best) {
  out.string("load_best_model_at_end");
  out.boolean(best.load_at_end);
  if (!best.metric) { return; }
  out.string("metric_for_best_model");
  out.string(*best.metric);
  out.string("greater_is_better");
  out.boolean(best.greater_is_better);
}

/// The keyword arguments that mdl-toolkit's train gives to TrainingArguments.
void write_arguments(PickleWriter& out, const TrainOptions& options) {
  out.empty_dict();
  out.mark();
  out.string("output_dir");
  out.string(options.output.string());
  out.string("per_device_train_batch_size");
  out.integer(options.batch_size);
  out.string("per_device_eval_batch_size");
  out.integer(options.eval_batch_size.value_or(options.batch_size));
  out.string("gradient_accumulation_steps");
  out.integer(options.accumulation_steps);
  out.string("eval_accumulation_steps");
  write_optional(out, options.eval_accumulation_steps);
  out.string("learning_rate");
  out.real(options.learning_rate);
  out.string("num_train_epochs");
  out.real(options.epochs);
  out.string("gradient_checkpointing");
  out.boolean(options.gradient_checkpointing);
  out.string("gradient_checkpointing_kwargs");
  out.empty_dict();
  out.mark();
  out.string("use_reentrant");
  out.boolean(false);
  out.set_items();
  out.string("max_steps");
  out.integer(options.max_steps.value_or(-1));
  write_optimizer(out, options);
  write_schedule(out, options);
  write_best_model(out, options.best_model);
  out.string("eval_strategy");
  out.string(strategy_name(options.eval_strategy));
  out.string("eval_steps");
  write_interval(out, options.eval_steps);
  out.string("logging_steps");
  write_interval(out, options.logging_steps);
  out.string("save_strategy");
  out.string(strategy_name(options.save_strategy));
  out.string("save_steps");
  write_interval(out, options.save_steps);
  out.string("save_total_limit");
  write_optional(out, options.save_total_limit);
  out.string("report_to");
  write_reports(out, options.report_to);
  out.string("dataloader_pin_memory");
  out.boolean(false);
  out.string("seed");
  out.integer(static_cast<int64_t>(options.seed));
  out.set_items();
}

}  // namespace

void save_training_args(const std::filesystem::path& file, const TrainOptions& options) {
  PickleWriter out(PickleWriter::Protocol::two);
  out.type("functools", "partial");
  out.type("transformers.training_args", "TrainingArguments");
  out.tuple(1);
  out.reduce();
  out.mark();  // the partial's state: function, positional and keyword arguments, attributes
  out.type("transformers.training_args", "TrainingArguments");
  out.tuple(0);
  write_arguments(out, options);
  out.none();
  out.tuple_from_mark();
  out.build();
  out.tuple(0);
  out.reduce();
  tensors::write_torch_archive(file, out.finish());
}

std::string settings_text(const TrainOptions& options) {
  nlohmann::ordered_json settings = {{"output_dir", options.output.string()},
                                     {"model_name", options.model_name},
                                     {"learning_rate", options.learning_rate},
                                     {"num_train_epochs", options.epochs},
                                     {"max_steps", options.max_steps.value_or(-1)},
                                     {"lr_scheduler_type", options.lr_scheduler.describe()},
                                     {"warmup_steps", options.warmup_steps.value},
                                     {"optimizer", options.optimizer.describe()},
                                     {"max_grad_norm", options.max_grad_norm},
                                     {"per_device_train_batch_size", options.batch_size},
                                     {"gradient_accumulation_steps", options.accumulation_steps},
                                     {"lora_rank", options.lora.rank},
                                     {"lora_alpha", options.lora.alpha},
                                     {"lora_dropout", options.lora.dropout},
                                     {"seed", options.seed}};
  if (options.batch_tokens) { settings["batch_tokens"] = *options.batch_tokens; }
  return settings.dump(2);
}

}  // namespace mdl::worker::training::checkpoint
