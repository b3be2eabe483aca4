// The program as the first and only one of a minimal Linux: it runs rows it is asked for, each in a process of its own.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// serve reads lines "ROW PROCS MILLISECONDS SHARE" and runs this program with these arguments, as often as it is asked.
// "@end CODE" follows what each prints.
func serve() {
	program, err := os.Executable()
	if err != nil {
		program = "/init" // before /proc is there
	}
	if os.Getpid() == 1 {
		if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
			fmt.Println("no /proc:", err)
		}
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		arguments := strings.Fields(lines.Text())
		if len(arguments) == 0 {
			continue
		}
		command := exec.Command(program, arguments...)
		command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
		fmt.Println("@end", endOf(command.Run(), arguments[0]))
	}
}

func endOf(err error, row string) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &exit):
		fmt.Printf("@fail %s %v\n", row, err)
		return 1
	}
	// Nobody else there would kill it.
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signal() == syscall.SIGKILL {
		fmt.Printf("@fail %s out of memory, killed by Linux\n", row)
	}
	return exit.ExitCode() & 0xff
}
