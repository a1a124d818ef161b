package environment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"esd/internal/spack"
	"esd/internal/spack/mirror"
)

// sourceLists knows what building the packages of locks downloads. Spack is
// asked once for all packages of a lock: starting it takes longer than the
// answer.
type sourceLists struct {
	mu   sync.Mutex // held while Spack is asked, so that others wait for the answer
	read map[string][]mirror.Source
}

// sources lists what building the package of the step downloads.
func (j *job) sources(ctx context.Context) ([]mirror.Source, error) {
	file := filepath.Join(j.step.Store.spackDir(), "sources-"+j.step.Lock.SHA256[:16]+".json")
	j.lists.mu.Lock()
	defer j.lists.mu.Unlock()
	all, known := j.lists.read[file]
	if !known {
		var err error
		if all, err = readSources(file); err != nil {
			if all, err = j.askSources(ctx, file); err != nil {
				return nil, err
			}
		}
		if j.lists.read == nil {
			j.lists.read = map[string][]mirror.Source{}
		}
		j.lists.read[file] = all
	}
	var own []mirror.Source
	for _, s := range all {
		if s.Hash == j.spec.Hash {
			own = append(own, s)
		}
	}
	return own, nil
}

// readSources reads what Spack said in an earlier run. A file that does not read
// is as good as none.
func readSources(file string) ([]mirror.Source, error) {
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	var list []mirror.Source
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, err
	}
	for i := range list {
		if err := list[i].Check(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (j *job) askSources(ctx context.Context, file string) ([]mirror.Source, error) {
	fmt.Fprintf(j.run.Log, "esd: asking Spack for the sources of all packages of %s\n", j.step.Lock.Path)
	in, err := j.instance(ctx, true)
	if err != nil {
		return nil, err
	}
	data, err := j.step.Lock.text()
	if err != nil {
		return nil, err
	}
	var hashes []spack.Hash
	for _, h := range j.lock.Order {
		if j.lock.Specs[h].External == nil {
			hashes = append(hashes, h)
		}
	}
	list, err := in.Sources(ctx, data, hashes)
	if err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	return list, writeAtomic(file, encoded)
}

func writeAtomic(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
