// Signs and verifies HTTP/1.1 requests by the Dynata HTTP Request Signing Protocol, as framesign does.
//
//   frame  reads a frame in chunks        signing    signs frames and requests
//   head   what is known at its end       verifying  checks signed ones
//   canonical, key  what is signed        fetch      signs what fetch sends
//                                         upload     sends in signed parts that resume

export { contentDigest } from "./structured-fields.js";
export { FrameError, Refusal, SigningError, UploadError } from "./errors.js";
export { signedFetch } from "./fetch.js";
export { Credentials, SigningKey, stringToSign } from "./key.js";
export { FrameHasher, RequestSigner, sign } from "./signing.js";
export { upload } from "./upload.js";
export { Verifier, checkRequest } from "./verifying.js";
