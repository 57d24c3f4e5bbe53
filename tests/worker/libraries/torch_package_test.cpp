#include "worker/libraries/torch_package.hpp"

#include <catch2/catch.hpp>

#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "tests/worker/libraries/made_packages.hpp"
#include "worker/libraries/fitting_torch.hpp"
#include "worker/libraries/model_program.hpp"

using namespace mdl;
using namespace mdl::worker::libraries;
using Catch::Contains;
using mdl::test::make_torch;
using mdl::test::write_file;

TEST_CASE("LibTorch's version and flavour are read from version.py, which is not run") {
  test::TempDir folder;
  const auto torch = read_torch_package(make_torch(folder.path(), "2.15.0+cu132"));
  REQUIRE(torch);
  CHECK(torch->version == "2.15.0+cu132");
  CHECK(torch->flavour == "cu132");
  CHECK(torch->minor_version() == "2.15");
  // conda's says no flavour in its version
  CHECK(read_torch_package(make_torch(folder.path(), "2.14.1", "12.4"))->flavour == "cu124");
  CHECK(read_torch_package(make_torch(folder.path(), "2.14.1", ""))->flavour == "cpu");
}

TEST_CASE("PyTorch's archive of C++ libraries says its version in build-version") {
  test::TempDir folder;
  write_file(folder.path() / "libtorch/lib/libtorch_cpu.so", "");
  write_file(folder.path() / "libtorch/build-version", "2.15.1+cpu\n");
  const auto torch = read_torch_package(folder.path() / "libtorch");
  REQUIRE(torch);
  CHECK(torch->version == "2.15.1+cpu");
  CHECK(torch->flavour == "cpu");
}

TEST_CASE("a folder without LibTorch's library is none, and one without a version fits nothing") {
  test::TempDir folder;
  write_file(folder.path() / "torch/version.py", "__version__ = '2.15.0+cu132'\n");
  CHECK_FALSE(read_torch_package(folder.path() / "torch"));
  CHECK_FALSE(read_torch_package(folder.path() / "nothing"));
  write_file(folder.path() / "torch/lib/libtorch_cpu.so", "");
  write_file(folder.path() / "torch/version.py", "__version__ = os.system('true')\n__version__x = 2\n");
  const auto torch = read_torch_package(folder.path() / "torch");
  REQUIRE(torch);
  CHECK_FALSE(fits(*torch, {"2.15.0+cu132", "", "", ""}));
}

TEST_CASE("a LibTorch fits when its minor version and its flavour are those that were built for") {
  const BuiltFor cuda{"2.15.0+cu132", "cu132", "", ""}, any{"2.15.0+cu132", "", "", ""};
  CHECK(fits({"/t", "2.15.7+cu132", "cu132"}, cuda));
  CHECK_FALSE(fits({"/t", "2.15.0+cpu", "cpu"}, cuda));
  CHECK(fits({"/t", "2.15.0+cpu", "cpu"}, any));
  CHECK_FALSE(fits({"/t", "2.1.0+cu132", "cu132"}, cuda));
  CHECK_FALSE(fits({"/t", "2.150.0+cu132", "cu132"}, any));
  CHECK_FALSE(fits({"/t", "3.15.0+cu132", "cu132"}, any));
  const BuiltFor older{"2.8.0+cu128", "cu128", "", ""};
  CHECK(fits({"/t", "2.8.0+cu128", "cu128"}, older));
  CHECK_FALSE(fits({"/t", "2.8.0+cu126", "cu126"}, older));
  CHECK_FALSE(fits({"/t", "2.80.0+cu128", "cu128"}, older));
}

TEST_CASE("one that does not fit is told with both versions and the command that helps") {
  const BuiltFor built{"2.15.0+cu132", "cu132", "", ""};
  CHECK_THROWS_WITH(
      require_fitting({"/x/torch", "2.14.0+cu132", "cu132"}, "MDL_TORCH", built),
      Contains("LibTorch 2.14.0+cu132 in /x/torch (MDL_TORCH) does not fit: this mdl-toolkit was built for "
               "2.15.0+cu132") &&
          Contains("`pip install \"torch==2.15.*\"` "));
  CHECK_THROWS_WITH(require_fitting({"/x/torch", "2.15.0+cpu", "cpu"}, "MDL_TORCH", built),
                    Contains("`pip install \"torch==2.15.*\" --index-url https://download.pytorch.org/whl/cu132`"));
  CHECK_THROWS_WITH(require_fitting({"/x/torch", "", ""}, "MDL_TORCH", built), Contains("of an unknown version"));
  CHECK_NOTHROW(require_fitting({"/x/torch", "2.15.3+cu132", "cu132"}, "MDL_TORCH", built));
}

TEST_CASE("the loader is led to LibTorch's own folder first and to those of the nvidia packages beside it") {
  test::TempDir folder;
  const auto torch = read_torch_package(make_torch(folder.path(), "2.15.0+cu132"));
  write_file(folder.path() / "nvidia/nccl/lib/libnccl.so.2", "");
  write_file(folder.path() / "nvidia/cu13/lib/libcudart.so.13", "");
  write_file(folder.path() / "nvidia/cu13/include/cuda.h", "");
  write_file(folder.path() / "nvidia/none/include/none.h", "");
  CHECK(library_folders(*torch) == std::vector<std::filesystem::path>{folder.path() / "torch/lib",
                                                                      folder.path() / "nvidia/cu13/lib",
                                                                      folder.path() / "nvidia/nccl/lib"});
}

TEST_CASE("a machine without a GPU takes a LibTorch of any flavour") {
  const BuiltFor cuda{"2.15.0+cu132", "cu132", "", ""}, any{"2.15.0+cu132", "", "", ""};
  const TorchPackage for_cpus{"/t", "2.15.0+cpu", "cpu"};
  CHECK_FALSE(fits(for_cpus, model_program(/*gpu=*/true, cuda).built));
  CHECK(fits(for_cpus, model_program(/*gpu=*/false, cuda).built));
  CHECK(model_program(true, cuda).name == std::string("mdl-toolkit-model"));
  CHECK(model_program(false, cuda).name == std::string("mdl-toolkit-model-cpu"));
  CHECK(model_program(false, any).name == std::string("mdl-toolkit-model"));  // there is but one
}
