{{/* The MPIJob's spec, but for what the operator reads from a living job: suspend and the time to live. */}}
{{- define "cxr-train.spec" -}}
{{- $values := .root.Values -}}
{{- $context := dict "root" .root "job" .job "settings" (printf "%s-training" .job) -}}
slotsPerWorker: {{ include "cxr-train.ranksPerWorker" .root }}
sshAuthMountPath: /etc/cxr-train-ssh
mpiImplementation: OpenMPI
# The launcher is there from the start, so that somebody can say why a worker is not.
launcherCreationPolicy: AtStartup
runPolicy:
  # Running: what has ended stays, with its logs.
  cleanPodPolicy: Running
  backoffLimit: {{ $values.backoffLimit | int }}
  {{- with $values.activeDeadlineSeconds }}
  activeDeadlineSeconds: {{ . | int }}
  {{- end }}
  {{- with $values.schedulingPolicy }}
  schedulingPolicy:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .runPolicy }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
mpiReplicaSpecs:
  Launcher:
    replicas: 1
    restartPolicy: Never
    template:
      {{- include "cxr-train.launcher" $context | nindent 6 }}
  Worker:
    replicas: {{ $values.workers.count | int }}
    restartPolicy: Never
    template:
      {{- include "cxr-train.worker" $context | nindent 6 }}
{{- end -}}
