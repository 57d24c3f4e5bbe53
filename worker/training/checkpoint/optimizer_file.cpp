#include "worker/training/checkpoint/optimizer_file.hpp"

#include <torch/csrc/jit/serialization/pickle.h>
#include <torch/csrc/jit/serialization/pickler.h>
#include <torch/torch.h>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/exception_text.hpp"
#include "common/str_cat.hpp"
#include "worker/tensors/torch_archive.hpp"

namespace mdl::worker::training::checkpoint {
namespace {

namespace fs = std::filesystem;
using c10::IValue;

c10::impl::GenericDict text_dict() {
  return c10::impl::GenericDict(c10::StringType::get(), c10::AnyType::get());
}
c10::impl::GenericList list() {
  return c10::impl::GenericList(c10::AnyType::get());
}

/// A parameter group of torch's AdamW, over the parameters [0, count).
IValue parameter_group(int64_t count, const AdamWSettings& settings, double weight_decay, double base_rate,
                       double rate) {
  auto group = text_dict();
  group.insert("weight_decay", weight_decay);
  group.insert("lr", rate);
  group.insert("betas", c10::ivalue::Tuple::create(settings.beta1, settings.beta2));
  group.insert("eps", settings.epsilon);
  for (const char* flag : {"amsgrad", "maximize", "capturable", "differentiable"}) { group.insert(flag, false); }
  group.insert("foreach", IValue());
  for (const char* flag : {"fused", "decoupled_weight_decay"}) { group.insert(flag, true); }
  group.insert("initial_lr", base_rate);
  auto indices = list();
  for (int64_t i = 0; i < count; ++i) { indices.push_back(i); }
  group.insert("params", indices);
  return group;
}

/// Writes what torch.save would write for `value`. torch::jit::pickle_save makes such an archive too, but tags lists
/// and dictionaries with their types, which torch.load(weights_only=True) refuses.
void write_pickle(const fs::path& file, const IValue& value) {
  std::string pickle;
  torch::jit::Pickler pickler([&](const char* data, size_t size) { pickle.append(data, size); }, nullptr, nullptr,
                              nullptr, nullptr, /*tag_aggregates=*/false);
  pickler.protocol();
  pickler.pushIValue(value);
  pickler.stop();

  tensors::write_torch_archive(file, pickle, pickler.tensorData());
}

/// Reads a file of torch.save and hands its value to `use`. Whatever is wrong with the file becomes one Error.
template <typename Use>
auto read_pickle(const fs::path& file, const Use& use) {
  const std::string bytes = read_text(file);
  try {
    return use(torch::jit::pickle_load(std::vector<char>(bytes.begin(), bytes.end())));
  } catch (const Error&) { throw; } catch (const c10::Error& error) {
    throw Error(
        str_cat(file.string(), " is not a file that training can go on from: ", error.what_without_backtrace()));
  } catch (const std::exception& error) {
    throw Error(str_cat(file.string(), " is not a file that training can go on from: ", describe_exception(error)));
  }
}

/// Copies one saved tensor over ours.
void restore(const c10::impl::GenericDict& saved, const char* key, at::Tensor& target, size_t index,
             const fs::path& file) {
  const at::Tensor tensor = saved.at(key).toTensor();
  if (tensor.sizes() != target.sizes()) {
    throw Error(str_cat(file.string(), ": ", key, " of parameter ", index, " has the shape ", tensor.sizes(),
                        ", expected ", target.sizes()),
                "The checkpoint was made with other adapters; give the same --lora-rank and --train-target.");
  }
  target.copy_(tensor);
}

}  // namespace

void save_optimizer(const fs::path& file, const AdamW::State& state, const AdamWSettings& settings, double base_rate,
                    double rate) {
  c10::impl::GenericDict entries(c10::IntType::get(), c10::AnyType::get());
  const size_t count = state.steps.size();
  for (size_t i = 0; i < count; ++i) {
    auto entry = text_dict();
    entry.insert("step", state.steps[i].cpu());
    entry.insert("exp_avg", state.first_moments[i].cpu());
    entry.insert("exp_avg_sq", state.second_moments[i].cpu());
    entries.insert(static_cast<int64_t>(i), entry);
  }
  auto groups = list();
  groups.push_back(parameter_group(static_cast<int64_t>(count), settings, settings.weight_decay, base_rate, rate));
  groups.push_back(parameter_group(0, settings, 0.0, base_rate, rate));
  auto whole = text_dict();
  whole.insert("state", entries);
  whole.insert("param_groups", groups);
  write_pickle(file, whole);
}

void load_optimizer(const fs::path& file, AdamW::State& state) {
  read_pickle(file, [&](const IValue& value) {
    const torch::NoGradGuard no_grad;
    const auto entries = value.toGenericDict().at("state").toGenericDict();
    if (entries.size() != state.steps.size()) {
      throw Error(str_cat(file.string(), " holds the state of ", entries.size(), " parameters, but ",
                          state.steps.size(), " are trained"),
                  "The checkpoint was made with other adapters; give the same --lora-rank and --train-target.");
    }
    for (size_t i = 0; i < state.steps.size(); ++i) {
      const auto entry = entries.at(static_cast<int64_t>(i)).toGenericDict();
      restore(entry, "step", state.steps[i], i, file);
      restore(entry, "exp_avg", state.first_moments[i], i, file);
      restore(entry, "exp_avg_sq", state.second_moments[i], i, file);
    }
    return 0;
  });
}

void save_scheduler(const fs::path& file, int64_t steps, double base_rate, double rate) {
  auto twice = [](const IValue& value) {
    auto values = list();
    values.push_back(value);
    values.push_back(value);
    return values;
  };
  auto state = text_dict();
  state.insert("base_lrs", twice(base_rate));
  state.insert("last_epoch", steps);
  state.insert("_step_count", steps + 1);
  state.insert("_is_initial", false);
  state.insert("_get_lr_called_within_step", false);
  state.insert("_last_lr", twice(rate));
  state.insert("lr_lambdas", twice(text_dict()));
  write_pickle(file, state);
}

double load_base_rate(const fs::path& file) {
  return read_pickle(
      file, [](const IValue& value) { return value.toGenericDict().at("base_lrs").toListRef().front().toDouble(); });
}

}  // namespace mdl::worker::training::checkpoint
