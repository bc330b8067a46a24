package main

import "syscall"

// childOfTest makes the kernel end what a test started when the test process ends, however that happens.
func childOfTest() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
