{{/* The Job that turns films into shards before training. */}}

{{/* The part of the trainer's settings that it reads: what else changes makes no new Job. */}}
{{- define "cxr-train.prepare.settings" -}}
{{- $tree := include "cxr-train.training" . | fromYaml -}}
{{- $prepare := set ($tree.prepare | default dict) "workers" (int .Values.prepare.workers) -}}
{{- $read := dict "prepare" $prepare "data" (dict "labels" (dig "data" "labels" "nih15" $tree)) -}}
{{- with $tree.store }}{{ $_ := set $read "store" . }}{{ end -}}
{{- toYaml $read -}}
{{- end -}}

{{- define "cxr-train.prepare.spec" -}}
{{- $values := .root.Values -}}
# Indexed: each pod has a number (JOB_COMPLETION_INDEX) and a name of its own, and a pod that was killed is followed by one of the same number.
completionMode: Indexed
completions: {{ $values.prepare.workers | int }}
parallelism: {{ $values.prepare.workers | int }}
{{- if semverCompare ">=1.29-0" .root.Capabilities.KubeVersion.Version }}
backoffLimitPerIndex: {{ $values.prepare.backoffLimit | int }}
# Without one part of the films the others are no set.
maxFailedIndexes: 0
{{- else }}
backoffLimit: {{ mul (int $values.prepare.backoffLimit) (int $values.prepare.workers) }}
{{- end }}
podFailurePolicy:
  rules:
    # An evicted pod has not failed.
    - {action: Ignore, onPodConditions: [{type: DisruptionTarget, status: "True"}]}
    # Below 128: what is wrong once is wrong again.
    - {action: FailJob, onExitCodes: {containerName: prepare, operator: In, values: {{ untilStep 1 128 1 | toJson }}}}
template:
  metadata:
    {{- include "cxr-train.pod.metadata" (merge (dict "component" "prepare") .) | nindent 4 }}
  spec:
    {{- include "cxr-train.pod.common" . | nindent 4 }}
    serviceAccountName: {{ include "cxr-train.workerAccount" .root | quote }}
    automountServiceAccountToken: false
    restartPolicy: Never
    {{- with include "cxr-train.pod.place" (dict
          "nodeSelector" ($values.launcher.nodeSelector | default $values.nodeSelector)
          "tolerations" ($values.launcher.tolerations | default $values.tolerations)) }}{{ . | nindent 4 }}{{ end }}
    containers:
      - name: prepare
        {{- include "cxr-train.container.common" . | nindent 8 }}
        command: [cxr-train, prepare, --config, /etc/cxr-train/config.yaml]
        {{- include "cxr-train.container.env" (merge (dict "credentials" true) .) | nindent 8 }}
        resources:
          {{- toYaml $values.prepare.resources | nindent 10 }}
        volumeMounts:
          {{- include "cxr-train.container.mounts" . | nindent 10 }}
          {{- if $values.data.existingClaim }}
          - {{- include "cxr-train.data.mount" (dict "data" $values.data "readOnly" false) | nindent 12 }}
          {{- end }}
    volumes:
      {{- include "cxr-train.pod.volumes" . | nindent 6 }}
      {{- with $values.data.existingClaim }}
      - {name: data, persistentVolumeClaim: {claimName: {{ . | quote }}}}
      {{- end }}
{{- end -}}
