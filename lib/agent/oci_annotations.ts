// SPDX-License-Identifier: Apache-2.0
/** The OCI annotations by which the two ends of the agent path, and the agent, tell each other about a container. */

/** Comma-separated mount sources that something inside the pod VM mounts; the guest end waits for them. */
export const TARGET_PATH_ANNOTATION = "io.confidentialcontainers.org.peerpodvolumes.target_path";

/** JSON: which disk of the pod VM belongs at which mount point. */
export const CLOUD_VOLUMES_ANNOTATION = "io.confidentialcontainers.org.cloud_volumes";

/** How many GPUs the pod asked for; set for pods that ask. */
export const DEFAULT_GPUS_ANNOTATION = "io.katacontainers.config.hypervisor.default_gpus";

/** Has the agent give the container devices by the Container Device Interface, and the devices it is to be given. */
export const CDI_ANNOTATION = "cdi.k8s.io/peer-pods";
export const ALL_NVIDIA_GPUS = "nvidia.com/gpu=all";

/** The pod's uid, from containerd. */
export const SANDBOX_UID_ANNOTATION = "io.kubernetes.cri.sandbox-uid";
