package view

import (
	"encoding/json"

	"esd/internal/plan"
)

// stepDocument is a step as programs read it. That a saved plan keeps it in
// another form is nobody else's business.
type stepDocument struct {
	ID        string            `json:"id"`
	Address   string            `json:"address"`
	Kind      string            `json:"kind"`
	Op        string            `json:"op"`
	Title     string            `json:"title,omitempty"`
	Key       string            `json:"key,omitempty"`
	Reason    string            `json:"reason,omitempty"`
	Needs     []string          `json:"needs"`
	Resources resourcesDocument `json:"resources"`
	Download  int64             `json:"download"`
	Upload    int64             `json:"upload"`
	Seconds   float64           `json:"seconds"`
	// PeakMemory and Size are those of the last time.
	PeakMemory int64           `json:"peak_memory,omitempty"`
	Size       int64           `json:"size,omitempty"`
	Spec       json.RawMessage `json:"spec,omitempty"`
}

// resourcesDocument is what a step occupies.
type resourcesDocument struct {
	CPUs           int     `json:"cpus"`
	Memory         int64   `json:"memory,omitempty"`
	TimeoutSeconds float64 `json:"timeout_seconds,omitempty"`
}

func stepOf(s *plan.Step) *stepDocument {
	return &stepDocument{
		ID: s.ID, Address: s.Address, Kind: s.Kind, Op: s.Op, Title: s.Title, Key: s.Key, Reason: s.Reason, Needs: append([]string{}, s.Needs...),
		Resources: resourcesDocument{max(s.Resources.CPUs, 1), s.Resources.Memory, s.Resources.Timeout.Seconds()},
		Download:  s.Download, Upload: s.Upload, Seconds: s.Seconds, PeakMemory: s.PeakMemory, Size: s.Size, Spec: s.Spec,
	}
}
