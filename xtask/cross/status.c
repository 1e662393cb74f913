/* Runs the command line behind its own name, and writes that program's exit status into the file that STATUS names. */
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <windows.h>

int main(void) {
    wchar_t *line = GetCommandLineW();
    line = *line == L'"' ? wcschr(line + 1, L'"') + 1 : line + wcscspn(line, L" ");
    line += wcsspn(line, L" ");
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION program;
    if (!CreateProcessW(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &program)) {
        fprintf(stderr, "cannot start %ls: error %lu\n", line, GetLastError());
        return 1;
    }
    DWORD status;
    WaitForSingleObject(program.hProcess, INFINITE);
    GetExitCodeProcess(program.hProcess, &status);
    FILE *file = fopen(getenv("STATUS"), "w");
    return !file || fprintf(file, "%lu\n", status) < 0 || fclose(file);
}
