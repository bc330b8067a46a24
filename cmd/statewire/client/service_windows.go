package client

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"statewire/cmd/statewire/cli"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
)

const (
	// eventSource is who the event log's entries are from. The service itself may have any name.
	eventSource = "statewire-agent"
	// servicePatience is how long Windows is asked to wait for a start or a stop.
	servicePatience = 60 * time.Second
)

// runAsService calls run. When Windows' service control manager started this process, run is told to stop by it alone,
// what is logged goes to the event log, and the service runs once run has said READY=1.
func runAsService(ctx context.Context, g *commands, run func(context.Context, supervisor, *slog.Logger) error) error {
	started, err := svc.IsWindowsService()
	if err != nil {
		return fmt.Errorf("see whether Windows runs this as a service: %w", err)
	}
	if !started {
		return run(ctx, newSupervisor(), g.Logger(os.Stderr))
	}
	events, err := eventlog.Open(eventSource)
	if err != nil {
		return fmt.Errorf("open the event log: %w", err)
	}
	defer events.Close()
	leaveConsole()
	return svc.Run(eventSource, &service{run: run, log: slog.New(&eventHandler{to: events, lines: g.LogHandler})})
}

// leaveConsole keeps away what Windows tells the processes of a console when somebody logs off: it would end them.
func leaveConsole() {
	_, _, _ = windows.NewLazySystemDLL("kernel32.dll").NewProc("FreeConsole").Call() // fails where there is none
}

// service is run as the service control manager sees it. It ends with the exit codes of the program, as its own ones.
type service struct {
	run func(context.Context, supervisor, *slog.Logger) error
	log *slog.Logger
}

// Execute implements svc.Handler: it returns when run has ended, by itself or because the manager asked for it.
func (s *service) Execute(_ []string, asked <-chan svc.ChangeRequest, status chan<- svc.Status) (own bool,
	code uint32) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ready, ended := make(chan svc.Status, 1), make(chan error, 1)
	status <- svc.Status{State: svc.StartPending, WaitHint: uint32(servicePatience.Milliseconds())}
	manager := supervisor{heard: func(state string) {
		if strings.HasPrefix(state, "READY=1") {
			ready <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}
		}
	}}
	go func() { ended <- s.run(ctx, manager, s.log) }()
	for {
		select {
		case err := <-ended:
			if err == nil {
				return false, 0
			}
			s.log.Error("agent failed", "err", cli.OneLine(err))
			return true, uint32(cli.ExitCode(err))
		case running := <-ready:
			if ctx.Err() == nil {
				status <- running
			}
		case request := <-asked:
			switch request.Cmd {
			case svc.Interrogate:
				status <- request.CurrentStatus
			case svc.Stop, svc.Shutdown:
				status <- svc.Status{State: svc.StopPending, WaitHint: uint32(servicePatience.Milliseconds())}
				stop()
			}
		}
	}
}
