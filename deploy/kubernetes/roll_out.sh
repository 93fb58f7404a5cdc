#!/usr/bin/env bash
# roll_out.sh OVERLAY: the namespace and its rules, the migration, and when it has succeeded, the services. Told twice, it
# does nothing more. The Secrets must be there: python -m deploy.kubernetes.
set -euo pipefail
overlay=$(cd "$(dirname "$0")/overlays/$1" && pwd)
rendered=$(mktemp)
trap 'rm -f "$rendered"' EXIT
kubectl kustomize "$overlay" >"$rendered"
namespace=$(sed -n 's/^namespace: //p' "$overlay/kustomization.yaml")

kubectl apply -f "$rendered" --selector pregao/phase=before
# A Job cannot be changed: that of the version before makes room.
kubectl --namespace "$namespace" delete job migrate --ignore-not-found --wait
kubectl apply -f "$rendered" --selector pregao/phase=migration
# It ends within half an hour, one way or the other (activeDeadlineSeconds).
until kubectl --namespace "$namespace" wait job/migrate --for=condition=complete --timeout=5s 2>/dev/null; do
  if kubectl --namespace "$namespace" wait job/migrate --for=condition=failed --timeout=1s 2>/dev/null; then
    kubectl --namespace "$namespace" logs job/migrate --tail=20 >&2
    echo "the migration has failed; the services are as they were" >&2
    exit 1
  fi
done
kubectl apply -f "$rendered"
for part in statefulset/nats deployment/gateway deployment/bots deployment/analytics deployment/crm deployment/edge; do
  kubectl --namespace "$namespace" rollout status "$part" --timeout=15m
done
