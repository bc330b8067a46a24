package simulate

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"statewire/cmd/statewire/cli"
	"statewire/site"

	"github.com/spf13/cobra"
)

// demoPrefix begins the names of temporary demo folders.
const demoPrefix = "statewire-demo-"

// demoFolder is where a demo has its data.
type demoFolder struct {
	path      string
	temporary bool
	note      string // why it is not where temporary folders are, or that it is in memory
	remover   *exec.Cmd
}

// demoData is the folder named with --data, or a temporary one.
func (g *commands) demoData(cmd *cobra.Command) (demoFolder, error) {
	if cmd.Flags().Changed("data") {
		return demoFolder{path: g.Data}, nil
	}
	return makeDemoFolder(inMemory)
}

// makeDemoFolder makes a temporary folder, on a disk if there is one: a demo writes gigabytes in a day, which a machine
// whose temporary folders are in memory may not have.
func makeDemoFolder(inMemory func(dir string) bool) (demoFolder, error) {
	first := os.TempDir()
	cache, _ := os.UserCacheDir()
	for _, dir := range []string{first, cache, "/var/tmp"} {
		if dir == "" || os.MkdirAll(dir, 0o700) != nil || inMemory(dir) {
			continue
		}
		path, err := os.MkdirTemp(dir, demoPrefix)
		switch {
		case err != nil:
			continue
		case site.SocketsFit(path) != nil:
			_ = os.Remove(path)
			continue
		}
		f := demoFolder{path: path, temporary: true}
		if dir != first {
			f.note = fmt.Sprintf("(%s is in memory, or cannot be used)", first)
		}
		return f, nil
	}
	path, err := os.MkdirTemp(first, demoPrefix)
	if err != nil {
		return demoFolder{}, fmt.Errorf("make the demo's folder: %w; name one with --data DIR", err)
	}
	return demoFolder{path: path, temporary: true,
		note: "(in memory: no disk was found for it; --data DIR names one)"}, nil
}

// farewell says what becomes of the data.
func (f demoFolder) farewell() string {
	switch {
	case !f.temporary:
		return "Stopped. The data stays in " + f.path + "."
	case f.remover == nil:
		return "Stopped. Remove the data in " + f.path + "."
	}
	return "Stopped. The data in " + f.path + " is being removed."
}

// removeLater starts a process that removes a temporary folder when this one has ended, however it ends: an engine may
// write there to the last, and to remove it all takes longer than a person waits.
func (f *demoFolder) removeLater() {
	program, err := os.Executable()
	if !f.temporary || err != nil {
		return
	}
	remover := exec.CommandContext(context.Background(), program, "demo-remove", f.path)
	remover.Dir, remover.SysProcAttr = filepath.Dir(f.path), ownSession()
	if _, err := remover.StdinPipe(); err == nil && remover.Start() == nil { // the pipe closes with this process
		f.remover = remover
	}
}

func RemoveDemo() *cobra.Command {
	return &cobra.Command{
		Use:    "demo-remove FOLDER",
		Short:  "remove the temporary folder of a demo once standard input ends",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !strings.HasPrefix(filepath.Base(args[0]), demoPrefix) {
				return cli.Usage(fmt.Errorf("%s is no demo's temporary folder", args[0]))
			}
			if _, err := io.Copy(io.Discard, cmd.InOrStdin()); err != nil {
				return err
			}
			return os.RemoveAll(args[0])
		},
	}
}
