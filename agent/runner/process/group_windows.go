package process

import (
	"errors"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// group is a program with everything it started: a job, which none of them can leave.
type group struct {
	process windows.Handle

	// Guarded by mu.
	mu  sync.Mutex
	job windows.Handle // 0 when it is closed
}

// start starts the program in a new job. It does not run before it is in it.
func start(cmd *exec.Cmd) (*group, error) {
	job, err := newJob()
	if err != nil {
		return nil, err
	}
	g := &group{job: job}
	cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: true, CreationFlags: windows.CREATE_SUSPENDED |
		windows.CREATE_NEW_PROCESS_GROUP | windows.CREATE_NO_WINDOW}
	if err := cmd.Start(); err != nil {
		g.close()
		return nil, err
	}
	if err := g.take(uint32(cmd.Process.Pid)); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		g.close()
		return nil, err
	}
	return g, nil
}

// newJob is a job that ends what is in it when nobody holds it any more.
func newJob() (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, os.NewSyscallError("CreateJobObject", err)
	}
	var limits windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	limits.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err != nil {
		_ = windows.CloseHandle(job)
		return 0, os.NewSyscallError("SetInformationJobObject", err)
	}
	return job, nil
}

// take puts a program that is suspended into the job, and lets it run.
func (g *group) take(pid uint32) (err error) {
	g.process, err = windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE|windows.SYNCHRONIZE, false,
		pid)
	if err != nil {
		return os.NewSyscallError("OpenProcess", err)
	}
	if err := windows.AssignProcessToJobObject(g.job, g.process); err != nil {
		return os.NewSyscallError("AssignProcessToJobObject", err)
	}
	return resume(pid)
}

// resume lets the threads of a program run; one that was started suspended has one.
func resume(pid uint32) error {
	all, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPTHREAD, 0)
	if err != nil {
		return os.NewSyscallError("CreateToolhelp32Snapshot", err)
	}
	defer windows.CloseHandle(all)
	entry := windows.ThreadEntry32{Size: uint32(unsafe.Sizeof(windows.ThreadEntry32{}))}
	resumed := 0
	for err = windows.Thread32First(all, &entry); err == nil; err = windows.Thread32Next(all, &entry) {
		if entry.OwnerProcessID != pid {
			continue
		}
		if err := resumeThread(entry.ThreadID); err != nil {
			return err
		}
		resumed++
	}
	if resumed == 0 {
		return errors.New("its thread is not found")
	}
	return nil
}

func resumeThread(id uint32) error {
	thread, err := windows.OpenThread(windows.THREAD_SUSPEND_RESUME, false, id)
	if err != nil {
		return os.NewSyscallError("OpenThread", err)
	}
	defer windows.CloseHandle(thread)
	_, err = windows.ResumeThread(thread)
	return os.NewSyscallError("ResumeThread", err)
}

// terminate does nothing: a program without a window and a console can't be asked to end.
func (g *group) terminate() {}

// kill ends everything in the job.
func (g *group) kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.job != 0 {
		_ = windows.TerminateJobObject(g.job, 1)
	}
}

// close ends what is left, and gives the job back.
func (g *group) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.job == 0 {
		return
	}
	_ = windows.CloseHandle(g.job)
	if g.process != 0 {
		_ = windows.CloseHandle(g.process)
	}
	g.job = 0
}

// awaitExit stays until the program ended.
func (g *group) awaitExit() bool {
	_, err := windows.WaitForSingleObject(g.process, windows.INFINITE)
	return err == nil
}

func exitCode(state *os.ProcessState) int { return state.ExitCode() }
