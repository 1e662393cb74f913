/* What Rust programs take random numbers from on Windows; Debian's Wine has no bcryptprimitives.dll. */
#include <windows.h>
#include <ntsecapi.h>
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length) { return RtlGenRandom(data, length); }
