package cache

import (
	"errors"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

// tasked is what both stores keep of tasks.
type tasked interface {
	Task(id [16]byte) (Task, bool, error)
	Tasks(fn func(Task)) error
	PutTask(t Task, pack string, version [4]uint32) error
	ForgetTasks(ids [][16]byte) error
	PackVersion(pack string) ([4]uint32, bool, error)
	TaskTime() (TaskTime, error)
	KeepTaskTime(t TaskTime) error
}

func wholeTask() Task {
	at := func(n int) time.Time { return time.Date(2026, 11, 28, 22, n, 0, 1000, time.UTC) }
	return Task{ID: [16]byte{1, 2}, Number: 13, Push: 9, Step: "failed", Code: "exit_code", Detail: "it ended with 3",
		ExitCode: -3, Received: at(1), Started: at(2), Finished: at(3), NotAfter: at(4), Begin: at(5), Keep: at(6),
		Name: "Statewire.Utility.Scan", Request: []byte("<r/>"), Size: 40_000, Cut: true, Output: "one\ntwo", Open: true,
		Untold: true}
}

// What is kept of a task is read as it was written, also after a restart; so are versions of packs and the greatest
// time.
func TestTasksAreKept(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		want, later := wholeTask(), wholeTask()
		later.ID, later.Untold, later.Open = [16]byte{3}, false, false
		kept := TaskTime{Site: [16]byte{7}, Time: want.NotAfter, Boot: "run", Since: time.Hour}
		have := s.contract.(tasked)
		if _, known, err := have.Task(want.ID); known || err != nil {
			t.Errorf("an empty store knows a task: %v", err)
		}
		if _, known, err := have.PackVersion("Test.Work"); known || err != nil {
			t.Errorf("an empty store knows a pack: %v", err)
		}
		if err := errors.Join(have.PutTask(later, "Test.Work", [4]uint32{1, 2, 0, 9}), have.PutTask(want, "", [4]uint32{}),
			have.KeepTaskTime(kept)); err != nil {
			t.Fatal(err)
		}
		s.reopen()
		have = s.contract.(tasked)
		if got, known, err := have.Task(want.ID); err != nil || !known || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v, %v", got, known, err)
		}
		if got, known, err := have.PackVersion("Test.Work"); err != nil || !known || got != [4]uint32{1, 2, 0, 9} {
			t.Errorf("%v, %v, %v", got, known, err)
		}
		if got, err := have.TaskTime(); err != nil || got != kept {
			t.Errorf("%+v, %v", got, err)
		}
		if err := have.ForgetTasks([][16]byte{want.ID}); err != nil {
			t.Fatal(err)
		}
		var left []Task
		if err := have.Tasks(func(t Task) { left = append(left, t) }); err != nil || !reflect.DeepEqual(left, []Task{later}) {
			t.Errorf("%+v, %v", left, err)
		}
	})
}

// A client knows so many tasks and no more; of those that it knows it still keeps what becomes of them.
func TestTasksAreBounded(t *testing.T) {
	m := NewMemory(0)
	var task Task
	for i := range maxTasks {
		task.ID = [16]byte{byte(i), byte(i >> 8)}
		m.own.kept.set(taskKey(task.ID), task.record())
	}
	task.Step = "succeeded"
	if err := m.PutTask(task, "", [4]uint32{}); err != nil {
		t.Error(err)
	}
	task.ID[15] = 1
	if err := m.PutTask(task, "Test.Work", [4]uint32{1}); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	if _, known, _ := m.PackVersion("Test.Work"); known {
		t.Error("a task that is not kept has put its pack into force")
	}
}

// A new id forgets the tasks of the former, not what protects the machine from what is old.
func TestANewIDKeepsWhatProtectsFromTheOld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.db")
	file, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	kept := TaskTime{Site: [16]byte{7}, Time: wholeTask().NotAfter, Boot: "run", Since: time.Hour}
	own := file.Client(file.Own())
	if err := errors.Join(own.PutTask(wholeTask(), "Test.Work", [4]uint32{2}), own.KeepTaskTime(kept)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := file.NewID(); err != nil {
		t.Fatal(err)
	}
	own = file.Client(file.Own())
	_, task, _ := own.Task(wholeTask().ID)
	version, pack, _ := own.PackVersion("Test.Work")
	if at, err := own.TaskTime(); task || !pack || version != [4]uint32{2} || at != kept || err != nil {
		t.Errorf("task %v, pack %v %v, time %+v, %v", task, pack, version, at, err)
	}
}
