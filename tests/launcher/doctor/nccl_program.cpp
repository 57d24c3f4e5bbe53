// A program that loads the fake libnccl.so.2, for the doctor to look at.
extern "C" const char* fake_nccl_log_line();

int main() {
  return fake_nccl_log_line()[0] == 'N' ? 0 : 1;
}
