// How much faster training steps are with the kernels of worker/kernels/, for scripts/bench.sh train: the same steps
// with LibTorch's operations alone and with the kernels, in turns.
//
//   training_probe MODEL DATASET BATCH ROUNDS CHECKPOINTING
//
// MODEL is a checkpoint folder, DATASET a converted one, CHECKPOINTING 0 or 1. Prints a JSON line: the loss of 30 steps
// of a run each way and the largest relative difference between two of them, the median seconds of a step each way over
// ROUNDS rounds of all batches, and their ratio.

#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "worker/adapter/lora.hpp"
#include "worker/batch/collate.hpp"
#include "worker/dataset/dataset_folder.hpp"
#include "worker/dataset/label.hpp"
#include "worker/kernels/kernel_choice.hpp"
#include "worker/training/adamw.hpp"

namespace {

using namespace mdl::worker;

constexpr int64_t kLossSteps = 30;
constexpr double kRate = 1e-3;

struct Training {
  std::shared_ptr<model::MiDashengLM> model;
  std::vector<at::Tensor> parameters;
  std::optional<training::AdamW> optimizer;

  Training(const std::string& folder, bool checkpointing) : model(model::load_model(folder, at::kFloat, at::kCPU)) {
    adapter::attach_lora(*model, {.rank = 16}, 1);
    for (const auto& [name, tensor] : adapter::lora_parameters(*model)) { parameters.push_back(tensor); }
    optimizer.emplace(parameters);
    model->set_gradient_checkpointing(checkpointing);
    model->train();
  }

  double step(const batch::Batch& batch) {
    for (auto& parameter : parameters) { parameter.mutable_grad().reset(); }
    const at::Tensor loss = model->loss_sum(batch) / (batch.labels != dataset::kIgnoredLabel).sum();
    loss.backward();
    training::clip_gradients(parameters, 1);
    optimizer->step(kRate);
    return loss.item<double>();
  }
};

std::vector<batch::Batch> read_batches(const std::string& folder, int64_t size) {
  const dataset::DatasetFolder data(folder);
  std::vector<batch::Batch> batches;
  for (int64_t first = 0; first + size <= data.size(); first += size) {
    std::vector<dataset::Sample> samples;
    for (int64_t i = 0; i < size; ++i) { samples.push_back(data.sample((first + i) * 37 % data.size())); }
    batches.push_back(batch::collate(samples, 0, at::kFloat));
  }
  return batches;
}

double seconds_of(Training& training, const batch::Batch& batch) {
  const auto start = std::chrono::steady_clock::now();
  training.step(batch);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int run(const std::vector<std::string>& arguments) {
  const auto& folder = arguments.at(0);
  const auto batches = read_batches(arguments.at(1), std::stoll(arguments.at(2)));
  const bool checkpointing = arguments.at(4) == "1";
  const std::vector<const kernels::Kernels*> variants = {nullptr, kernels::chosen_kernels()};

  std::vector<std::vector<double>> losses(variants.size());
  for (size_t i = 0; i < variants.size(); ++i) {
    const kernels::KernelChoice choice(variants[i]);
    Training training(folder, checkpointing);
    for (int64_t step = 0; step < kLossSteps; ++step) {
      losses[i].push_back(training.step(batches[static_cast<size_t>(step) % batches.size()]));
    }
  }
  double difference = 0;
  for (int64_t step = 0; step < kLossSteps; ++step) {
    const double expected = losses[0][static_cast<size_t>(step)], found = losses[1][static_cast<size_t>(step)];
    difference = std::max(difference, std::abs(found - expected) / std::abs(expected));
  }

  Training training(folder, checkpointing);
  std::vector<std::vector<double>> seconds(variants.size());
  const auto rounds = static_cast<size_t>(std::stoll(arguments.at(3)));
  for (size_t round = 0; round < rounds; ++round) {
    for (size_t b = 0; b < batches.size(); ++b) {
      for (size_t k = 0; k < variants.size(); ++k) {
        const size_t which = (k + b + round) % variants.size();  // none is always the first
        const kernels::KernelChoice choice(variants[which]);
        const double taken = seconds_of(training, batches[b]);
        if (round > 0 || rounds == 1) { seconds[which].push_back(taken); }
      }
    }
  }
  for (auto& each : seconds) { std::nth_element(each.begin(), each.begin() + std::ssize(each) / 2, each.end()); }
  const auto median = [&](size_t i) { return seconds[i][seconds[i].size() / 2]; };
  std::cout << nlohmann::json{{"kernels", variants[1] ? variants[1]->name : "none"},
                              {"threads", at::get_num_threads()},
                              {"without", median(0)},
                              {"with", median(1)},
                              {"ratio", median(0) / median(1)},
                              {"first_loss", losses[1].front()},
                              {"last_loss", losses[1].back()},
                              {"largest_difference", difference}}
                   .dump()
            << '\n';
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 6) { throw std::invalid_argument("MODEL DATASET BATCH ROUNDS CHECKPOINTING are needed"); }
    return run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "training_probe: " << error.what() << '\n';
    return 1;
  }
}
