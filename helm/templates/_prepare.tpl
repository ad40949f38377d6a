{{/* The Job that turns films into shards before training. */}}

{{/* The part of the trainer's settings that it reads: what else changes makes no new Job. */}}
{{- define "cxr-train.prepare.settings" -}}
{{- $tree := include "cxr-train.training" . | fromYaml -}}
{{- dict "prepare" $tree.prepare "data" (dict "labels" (dig "data" "labels" "nih15" $tree)) | toYaml -}}
{{- end -}}

{{- define "cxr-train.prepare.spec" -}}
{{- $values := .root.Values -}}
# Indexed: its pod has a number and a name of its own, and a pod that was killed is followed by one of the same number.
completionMode: Indexed
completions: 1
parallelism: 1
backoffLimit: {{ $values.prepare.backoffLimit | int }}
# Usage, data: what is wrong once is wrong again.
podFailurePolicy:
  rules:
    - {action: FailJob, onExitCodes: {containerName: prepare, operator: In, values: [2, 3]}}
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
        {{- include "cxr-train.container.env" . | nindent 8 }}
        {{- with include "cxr-train.container.secret" . }}{{ . | nindent 8 }}{{ end }}
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
