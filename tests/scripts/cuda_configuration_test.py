"""usage: cuda_configuration_test.py CMAKE: what configuring says of CUDA, for LibTorches that are nothing but the files it looks for."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CMAKE = sys.argv.pop(1)
MODULES = Path(__file__).resolve().parents[2] / "cmake"
PROJECT = f"""cmake_minimum_required(VERSION 3.25)
project(test LANGUAGES NONE)
list(APPEND CMAKE_MODULE_PATH {MODULES})
find_package(LibTorch REQUIRED)
include(MdlCuda)
message(STATUS "taken: ${{LibTorch_CUDA_INCLUDES}} ${{LibTorch_CUDA_LIBS}}")
"""
HEADERS = {
    "cuda_runtime_api.h": ("cuda_runtime", "nvidia-cuda-runtime"),
    "crt/host_config.h": ("cuda_nvcc", "nvidia-cuda-crt"),
    "nv/target": ("cuda_cccl", "nvidia-cuda-cccl"),
    "cublas_v2.h": ("cublas", "nvidia-cublas"),
    "cusparse.h": ("cusparse", "nvidia-cusparse"),
    "cusolverDn.h": ("cusolver", "nvidia-cusolver"),
}


def write(file, text=""):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


class Configuration(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.folder = Path(self._folder.name).resolve()
        self.site = self.folder / "site-packages"
        write(self.folder / "CMakeLists.txt", PROJECT)

    def torch(self, cuda):
        flavour = "+cu" + cuda.replace(".", "") if cuda else "+cpu"
        write(self.site / "torch/version.py", f"__version__ = '2.15.0{flavour}'\ncuda: Optional[str] = {cuda!r}\n")
        write(self.site / "torch/include/torch/csrc/api/include/torch/torch.h")
        for library in ["libtorch.so", "libtorch_cpu.so", *(["libtorch_cuda.so"] if cuda else [])]:
            write(self.site / "torch/lib" / library)

    def wheels(self, cuda, without=""):
        major = cuda.split(".")[0]
        for header, (package, _) in HEADERS.items():
            if header != without:
                write(self.site / "nvidia" / ("cu13" if major == "13" else package) / "include" / header)
        write(self.site / "nvidia" / ("cu13" if major == "13" else "cuda_runtime") / f"lib/libcudart.so.{major}")
        write(self.site / "nvidia/nccl/include/nccl.h")
        write(self.site / "nvidia/nccl/lib/libnccl.so.2")

    def configure(self, *options, toolkit="", fresh=True):
        command = [CMAKE, "-S", self.folder, "-B", self.folder / "build", f"-DLibTorch_ROOT={self.site}/torch", *options]
        environment = {name: value for name, value in os.environ.items() if name not in ("CUDA_HOME", "CUDA_PATH")}
        command += [f"-DMDL_CUDA_TOOLKITS={toolkit}", "-G", "Ninja", *(["--fresh"] if fresh else [])]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    def test_wheels_of_both_layouts_are_found(self):
        for cuda in ("13.2", "12.8"):
            self.torch(cuda)
            self.wheels(cuda)
            code, told = self.configure()
            self.assertEqual(code, 0, told)
            self.assertIn(f"CUDA: yes (LibTorch 2.15.0+cu{cuda.replace('.', '')}; headers in ", told)
            self.assertIn(f"libcudart.so.{cuda[:2]}", told)
        self.assertIn(f"{self.site}/nvidia/cuda_nvcc/include", told)

    def test_a_missing_header_stops_with_the_package_that_has_it(self):
        for cuda, suffix in (("13.2", ""), ("12.8", "-cu12")):
            for header, (_, package) in HEADERS.items():
                self.setUp()
                self.torch(cuda)
                self.wheels(cuda, without=header)
                code, told = self.configure()
                package = "nvidia-cuda-nvcc" if suffix and header == "crt/host_config.h" else package
                self.assertNotEqual(code, 0)
                self.assertIn(f"these are missing: {header} ({package}{suffix}). Install", told)
                self.assertIn("-DMDL_WITH_CUDA=OFF", told)
        self.assertEqual(self.configure("-DMDL_WITH_CUDA=OFF")[0], 0)
        self.assertIn("CUDA: no, because MDL_WITH_CUDA=OFF", self.configure("-DMDL_WITH_CUDA=OFF")[1])

    def test_an_installed_toolkit_of_the_same_cuda_will_do(self):
        self.torch("13.2")
        self.wheels("13.2", without="crt/host_config.h")
        toolkit = self.folder / "cuda"
        for header in HEADERS:
            write(toolkit / "include" / header)
        write(toolkit / "lib64/libcudart.so.13")
        write(toolkit / "include/cuda.h", "#define CUDA_VERSION 12080\n")
        self.assertNotEqual(self.configure(toolkit=toolkit)[0], 0)
        write(toolkit / "include/cuda.h", "#define CUDA_VERSION 13000\n")
        code, told = self.configure(toolkit=toolkit)
        self.assertEqual(code, 0, told)
        self.assertIn(f"headers in {self.site}/nvidia/nccl/include, {toolkit}/include)", told)

    def test_what_is_found_decides_anew_each_time(self):
        self.torch("13.2")
        self.wheels("13.2")
        self.assertIn("CUDA: yes", self.configure()[1])
        (self.site / "torch/lib/libtorch_cuda.so").unlink()
        self.torch(None)
        code, told = self.configure(fresh=False)
        self.assertEqual(code, 0, told)
        self.assertIn("CUDA: no, because LibTorch 2.15.0+cpu has no CUDA", told)

    def test_a_libtorch_without_cuda_says_so(self):
        self.torch(None)
        code, told = self.configure()
        self.assertEqual(code, 0, told)
        self.assertIn("CUDA: no, because LibTorch 2.15.0+cpu has no CUDA", told)
        code, told = self.configure("-DMDL_WITH_CUDA=ON")
        self.assertNotEqual(code, 0)
        self.assertIn("has no CUDA (libtorch_cuda.so)", told)


if __name__ == "__main__":
    unittest.main()
