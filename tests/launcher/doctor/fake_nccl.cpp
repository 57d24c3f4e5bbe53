// A stand-in for NVIDIA's libnccl.so.2, as far as the doctor reads it: a library that names its version somewhere
// behind the first megabyte, and the same words without one before.
namespace {
struct {
  char words[16] = "NCCL version ";
  char other[(1 << 20) + 17] = {1};
  char log_line[32] = "NCCL version 2.98.7+cuda13.0";
} contents;
}  // namespace

extern "C" const char* fake_nccl_log_line();
extern "C" const char* fake_nccl_log_line() {
  contents.other[1] = contents.words[0];
  return contents.log_line;
}
