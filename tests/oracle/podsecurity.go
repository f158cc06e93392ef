package main

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/pod-security-admission/admission"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// idEnd ends the check's ID where it travels in front of the reason (results carry no ID of their own).
const idEnd = "\x00"

// podSecurity judges pod templates as the admission plugin does, at the newest policy and at those asked for.
type podSecurity struct {
	evaluator policy.Evaluator
	versions  map[string]api.Version
}

func newPodSecurity(versions []string, emulation *api.Version) (*podSecurity, error) {
	checks := policy.DefaultChecks()
	for i := range checks {
		for j := range checks[i].Versions {
			checks[i].Versions[j].CheckPod = named(string(checks[i].ID), checks[i].Versions[j].CheckPod)
		}
	}
	evaluator, err := policy.NewEvaluator(checks, emulation)
	if err != nil {
		return nil, err
	}
	s := &podSecurity{evaluator: evaluator, versions: map[string]api.Version{}}
	for _, text := range versions {
		version, err := api.ParseVersion(text)
		if err != nil {
			return nil, fmt.Errorf("-pod-security-version %q: %w", text, err)
		}
		s.versions[text] = version
	}
	return s, nil
}

func named(id string, check policy.CheckPodFn) policy.CheckPodFn {
	return func(meta *metav1.ObjectMeta, spec *corev1.PodSpec) policy.CheckResult {
		result := check(meta, spec)
		result.ForbiddenReason = id + idEnd + result.ForbiddenReason
		return result
	}
}

// judge fills the verdict's pod security parts; an object without a pod template has none.
// obj is of the hub version, as the admission plugin gets it: defaulted, and before the registry prepares it.
func (s *podSecurity) judge(v *Verdict, obj runtime.Object, gvk schema.GroupVersionKind) error {
	versioned, err := core.scheme.ConvertToVersion(obj.DeepCopyObject(), gvk.GroupVersion())
	if err != nil {
		return err
	}
	meta, spec, err := admission.DefaultPodSpecExtractor{}.ExtractPodSpec(versioned)
	if err != nil || spec == nil {
		return nil // not a kind with a pod template
	}
	latest := s.at(api.LatestVersion(), meta, spec)
	v.PodSecurity = &latest
	for text, version := range s.versions {
		if v.PodSecurityAt == nil {
			v.PodSecurityAt = map[string]Levels{}
		}
		v.PodSecurityAt[text] = s.at(version, meta, spec)
	}
	return nil
}

func (s *podSecurity) at(version api.Version, meta *metav1.ObjectMeta, spec *corev1.PodSpec) Levels {
	return Levels{
		Baseline:   s.failed(api.LevelVersion{Level: api.LevelBaseline, Version: version}, meta, spec),
		Restricted: s.failed(api.LevelVersion{Level: api.LevelRestricted, Version: version}, meta, spec),
	}
}

func (s *podSecurity) failed(lv api.LevelVersion, meta *metav1.ObjectMeta, spec *corev1.PodSpec) []Check {
	failed := []Check{}
	for _, result := range s.evaluator.EvaluatePod(lv, meta, spec) {
		if result.Allowed {
			continue
		}
		id, reason, _ := strings.Cut(result.ForbiddenReason, idEnd)
		failed = append(failed, Check{id, reason, result.ForbiddenDetail})
	}
	return failed
}
