#include "worker/device/device_choice.hpp"

#include <cstdlib>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/option_values.hpp"

namespace mdl::worker::device {
namespace {

constexpr const char* kVisible = "CUDA_VISIBLE_DEVICES";
constexpr const char* kUseCpu = "ACCELERATE_USE_CPU";
constexpr const char* kToUseTheCpu = "To compute on the CPU, say so: --device cpu.";

bool names_no_gpu(const std::string& visible) {
  return visible.empty() || visible.starts_with("-1") || visible == "NoDevFiles";
}

std::string advice_for(const CudaView& cuda, const nvidia::Driver& driver) {
  if (!cuda.built_in) { return str_cat("Build it with -DMDL_WITH_CUDA=ON. ", kToUseTheCpu); }
  const bool too_old = driver.cuda_version > 0 && driver.cuda_version / 1000 < cuda.runtime / 1000;
  if (too_old) {
    return str_cat("The driver is too old for CUDA ", cuda.runtime / 1000,
                   ": install a newer one, or an mdl-toolkit that was built for a LibTorch with CUDA ",
                   driver.cuda_version / 1000, ". ", kToUseTheCpu);
  }
  return str_cat("Does nvidia-smi work here? In a container, start it with its GPUs (--gpus all). ", kToUseTheCpu);
}

}  // namespace

std::optional<std::string> environment_variable(const char* name) {
  const char* const value = std::getenv(name);
  return value ? std::optional<std::string>(value) : std::nullopt;
}

Wish read_wish(const std::string& option, const Variable& variable) {
  const auto visible = variable(kVisible);
  const bool no_gpu = visible && names_no_gpu(*visible);
  const std::string of_variable = str_cat(kVisible, "=\"", visible.value_or(""), "\"");
  if (option == "cpu") { return {Wish::What::cpu, "--device cpu"}; }
  if (option == "cuda") {
    if (no_gpu) {
      throw UsageError(str_cat("--device cuda, but ", of_variable, " names no GPU"), "Unset the variable.");
    }
    return {Wish::What::cuda, "--device cuda"};
  }
  const std::string use_cpu = variable(kUseCpu).value_or("");
  if (cli::read_boolean(use_cpu).value_or(false)) { return {Wish::What::cpu, str_cat(kUseCpu, "=", use_cpu)}; }
  if (no_gpu) { return {Wish::What::cpu, of_variable}; }
  return {};
}

Choice choose(const Wish& wish, const CudaView& cuda, const std::function<nvidia::Driver()>& find_driver) {
  if (wish.what == Wish::What::cpu) { return {Kind::cpu, wish.said_by, "", ""}; }
  if (cuda.gpus > 0) { return {Kind::cuda, "", "", ""}; }
  const nvidia::Driver driver = find_driver();
  const std::string why =
      cuda.built_in ? str_cat("CUDA opens none: ", cuda.error) : "this mdl-toolkit was built without CUDA";
  if (driver.gpus > 0) {
    return {Kind::cuda, "",
            str_cat("this machine has ", nvidia::describe(driver), ", but ", why,
                    cuda.built_in ? str_cat(" (it was built for ", cuda.built_for, ")") : ""),
            advice_for(cuda, driver)};
  }
  if (wish.what == Wish::What::cuda) {
    return {Kind::cuda, "", str_cat(wish.said_by, ": no NVIDIA GPU was found on this machine, and ", why),
            advice_for(cuda, driver)};
  }
  return {Kind::cpu, "", "", ""};
}

}  // namespace mdl::worker::device
